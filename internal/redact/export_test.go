package redact

// Steps returns how much work it is to search text.
func (s *Secrets) Steps(text string) int {
	scan := scan{text: text}
	scan.run(s.indexed())
	return scan.steps
}
