package engine

type lease struct{}
type pools struct{}

func (e *Engine) release(f *flow) {}
