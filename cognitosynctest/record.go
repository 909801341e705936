package cognitosynctest

// A record keeps the latest requests.
type record struct {
	limit  int       // 0: keep all; negative: keep none
	kept   []Request // a ring once it has limit requests
	oldest int       // index in kept
	count  int       // requests added, kept or not
}

func (r *record) add(request Request) {
	r.count++
	switch {
	case r.limit == 0 || len(r.kept) < r.limit:
		r.kept = append(r.kept, request)
	case r.limit > 0:
		r.kept[r.oldest] = request
		r.oldest = (r.oldest + 1) % r.limit
	}
}

// all returns copies of the kept requests, the oldest first.
func (r *record) all() Requests {
	requests := make(Requests, 0, len(r.kept))
	for _, part := range [][]Request{r.kept[r.oldest:], r.kept[:r.oldest]} {
		for i := range part {
			requests = append(requests, part[i].clone())
		}
	}
	return requests
}

func (r *record) clear() { *r = record{limit: r.limit} }
