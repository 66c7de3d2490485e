// Package fourier computes discrete Fourier transforms of any length in float64.
package fourier

import (
	"math"
	"math/bits"
)

// Plan is a transform of one length. It is never changed once made.
type Plan struct {
	n     int
	m     int          // length of the radix-2 transforms that it is made of; n where that is a power of 2
	roots []complex128 // e^(-2 pi i k/m), k below m/2
	// For other lengths (Bluestein): the chirp e^(-pi i k^2/n), and the transform of its conjugate, wrapped around.
	chirp, filter []complex128
}

// New makes the plan for length n, which must be 1 or more and below a quarter of the largest int.
func New(n int) *Plan {
	p := &Plan{n: n, m: n}
	if n&(n-1) != 0 {
		p.m = 1 << bits.Len(uint(2*n-2))
	}
	p.roots = make([]complex128, p.m/2)
	for k := range p.roots {
		p.roots[k] = root(float64(k) / float64(p.m))
	}
	if p.m == n {
		return p
	}
	p.chirp, p.filter = make([]complex128, n), make([]complex128, p.m)
	for k := range n {
		square := uint64(k) * uint64(k) % uint64(2*n)
		w := root(float64(square) / float64(2*n))
		c := complex(real(w), -imag(w))
		p.chirp[k], p.filter[k] = w, c
		if k > 0 {
			p.filter[p.m-k] = c
		}
	}
	p.radix2(p.filter)
	return p
}

// root is e^(-2 pi i t).
func root(t float64) complex128 {
	s, c := math.Sincos(-2 * math.Pi * t)
	return complex(c, s)
}

// Scratch is the length of the scratch that Forward and Inverse need.
func (p *Plan) Scratch() int {
	if p.m == p.n {
		return 0
	}
	return p.m
}

// Forward replaces x, of the plan's length, by y[k] = sum over j of x[j] e^(-2 pi i j k/n).
func (p *Plan) Forward(x, scratch []complex128) {
	if p.m == p.n {
		p.radix2(x)
		return
	}
	a := scratch[:p.m]
	clear(a)
	for k, w := range p.chirp {
		a[k] = times(x[k], w)
	}
	p.radix2(a)
	for k, f := range p.filter {
		v := times(a[k], f)
		a[k] = complex(real(v), -imag(v)) // the conjugate of the next transform's conjugate is the inverse one
	}
	p.radix2(a)
	scale := 1 / float64(p.m)
	for k, w := range p.chirp {
		x[k] = times(complex(real(a[k])*scale, -imag(a[k])*scale), w)
	}
}

// Inverse replaces x by what Forward would turn into it.
func (p *Plan) Inverse(x, scratch []complex128) {
	for i, v := range x {
		x[i] = complex(real(v), -imag(v))
	}
	p.Forward(x, scratch)
	n := float64(p.n)
	for i, v := range x {
		x[i] = complex(real(v)/n, -imag(v)/n)
	}
}

// times is a*b, rounded after each product, so that every build gives the same bits.
func times(a, b complex128) complex128 {
	return complex(float64(real(a)*real(b))-float64(imag(a)*imag(b)), float64(real(a)*imag(b))+float64(imag(a)*real(b)))
}

// radix2 transforms x, whose length is m.
func (p *Plan) radix2(x []complex128) {
	if p.m < 2 {
		return
	}
	shift := 64 - bits.Len(uint(p.m-1))
	for i := range x {
		if j := int(bits.Reverse64(uint64(i)) >> shift); i < j {
			x[i], x[j] = x[j], x[i]
		}
	}
	for half := 1; half < p.m; half *= 2 {
		step := p.m / (2 * half)
		for at := 0; at < p.m; at += 2 * half {
			for k := range half {
				a, b := x[at+k], times(x[at+k+half], p.roots[k*step])
				x[at+k], x[at+k+half] = a+b, a-b
			}
		}
	}
}

// Mirror completes x, of which the first half is the spectrum of a real signal, as symmetry says.
func Mirror(x []complex128) {
	n := len(x)
	x[0] = complex(real(x[0]), 0)
	for k := 1; 2*k <= n; k++ {
		v := x[k]
		if 2*k == n {
			v = complex(real(v), 0)
		}
		x[n-k] = complex(real(v), -imag(v))
	}
}

// Parts is the real and the imaginary part of v.
func Parts(v complex128) (re, im float64) { return real(v), imag(v) }
