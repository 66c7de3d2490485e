package vec

import "math"

// Decay is how weights decay: by Coupled, weight is added to the gradient as Coupled * w; by Decoupled, w is first multiplied
// by 1 - lr * Decoupled, or reduced by w * Decoupled * lr if Product is set (Keras's order of roundings).
type Decay[T Float] struct {
	Coupled, Decoupled T
	LR                 T
	Keep               T // 1 - lr * Decoupled, rounded once
	Product            bool
}

func (d *Decay[T]) none() bool { return d.Coupled == 0 && d.Decoupled == 0 }

// apply is the weight and the gradient after decay.
func (d *Decay[T]) apply(w, g T) (T, T) {
	switch {
	case d.Coupled != 0:
		g += T(d.Coupled * w)
	case d.Decoupled == 0:
	case d.Product:
		w -= T(T(w*d.Decoupled) * d.LR)
	default:
		w *= d.Keep
	}
	return w, g
}

// Momentum is the constants of a step of gradient descent with momentum.
type Momentum[T Float] struct {
	Decay[T]
	Scale    T // of the gradient
	Mu       T
	Damp     T // 1 - dampening
	Nesterov bool
	First    bool // PyTorch: the buffer becomes the gradient
	Keras    bool
}

// Step updates w and the buffer v by the gradient g.
//
// Keras: v = mu*v - g*lr; w += v, with Nesterov w += mu*v - g*lr.
// PyTorch: v = mu*v + damp*g, at first v = g; w -= lr*v, with Nesterov w -= lr*(g + mu*v).
func (s *Momentum[T]) Step(w, v, g []T) {
	switch usual := s.none() && !s.Nesterov; {
	case usual && s.Keras:
		s.keras(w, v, g)
		return
	case usual && !s.First:
		s.plain(w, v, g)
		return
	}
	for i := range w {
		x, d := s.apply(w[i], T(g[i]*s.Scale))
		switch {
		case s.Keras:
			step := T(d * s.LR)
			v[i] = T(v[i]*s.Mu) - step
			if s.Nesterov {
				w[i] = x + (T(v[i]*s.Mu) - step)
			} else {
				w[i] = x + v[i]
			}
			continue
		case s.First:
			v[i] = d
		default:
			v[i] = T(v[i]*s.Mu) + T(d*s.Damp)
		}
		if s.Nesterov {
			d += T(v[i] * s.Mu)
		} else {
			d = v[i]
		}
		w[i] = x - T(d*s.LR)
	}
}

// keras is the usual step of Keras, without a question for each weight.
func (s *Momentum[T]) keras(w, v, g []T) {
	v, g = v[:len(w)], g[:len(w)]
	scale, mu, lr := s.Scale, s.Mu, s.LR
	for i, x := range w {
		fresh := T(v[i]*mu) - T(T(g[i]*scale)*lr)
		v[i] = fresh
		w[i] = x + fresh
	}
}

// plain is the usual step of PyTorch.
func (s *Momentum[T]) plain(w, v, g []T) {
	v, g = v[:len(w)], g[:len(w)]
	scale, mu, damp, lr := s.Scale, s.Mu, s.Damp, s.LR
	for i, x := range w {
		fresh := T(v[i]*mu) + T(T(g[i]*scale)*damp)
		v[i] = fresh
		w[i] = x - T(fresh*lr)
	}
}

// SGD is the constants of a step of plain gradient descent.
type SGD[T Float] struct {
	Decay[T]
	Scale T // of the gradient
}

// Step is w -= lr * g. t counts for float32 only, and may be nil for float64.
func (s *SGD[T]) Step(t *Table, w, g []T) {
	if s, ok := any(s).(*SGD[float32]); ok && s.none() {
		t.sgd(s, any(w).([]float32), any(g).([]float32))
		return
	}
	s.step(w, g)
}

func (s *SGD[T]) step(w, g []T) {
	for i := range w {
		x, d := s.apply(w[i], T(g[i]*s.Scale))
		w[i] = x - T(d*s.LR)
	}
}

// Adam is the constants of a step of Adam.
type Adam[T Float] struct {
	Decay[T]
	Scale              T // of the gradient
	Beta2              T
	OneBeta1, OneBeta2 T // 1 - beta1, 1 - beta2
	Rate               T // the step size, bias corrections included
	Root               T // PyTorch: square root of the bias correction of v
	Epsilon            T
	Keras              bool
}

// Step updates w and the moments m and v by the gradient g; with hat, the largest v so far counts (AMSGrad).
//
// Keras: w -= rate*m / (sqrt(v) + epsilon), rate = lr*sqrt(1-beta2^t)/(1-beta1^t).
// PyTorch: w -= rate*m / (sqrt(v)/root + epsilon), rate = lr/(1-beta1^t), root = sqrt(1-beta2^t).
//
// t counts for float32 only, and may be nil for float64.
func (s *Adam[T]) Step(t *Table, w, m, v, hat, g []T) {
	if s, ok := any(s).(*Adam[float32]); ok && s.none() && hat == nil {
		t.adam(s, any(w).([]float32), any(m).([]float32), any(v).([]float32), any(g).([]float32))
		return
	}
	s.step(w, m, v, hat, g)
}

func (s *Adam[T]) step(w, m, v, hat, g []T) {
	for i := range w {
		x, d := s.apply(w[i], T(g[i]*s.Scale))
		m[i] += T((d - m[i]) * s.OneBeta1)
		if s.Keras {
			v[i] += T((T(d*d) - v[i]) * s.OneBeta2)
		} else {
			v[i] = T(v[i]*s.Beta2) + T(T(s.OneBeta2*d)*d)
		}
		top := v[i]
		if hat != nil {
			top = max(hat[i], top)
			hat[i] = top
		}
		root := T(math.Sqrt(float64(top)))
		if !s.Keras {
			root /= s.Root
		}
		w[i] = x - T(T(m[i]*s.Rate)/(root+s.Epsilon))
	}
}
