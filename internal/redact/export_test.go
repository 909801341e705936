package redact

// Steps returns the number of steps for searching text.
func (s *Secrets) Steps(text string) int {
	scan := scan{text: text}
	scan.run(s.indexed())
	return scan.steps
}
