package main

// points prints functions of one number, or two, of float32 that need little
// arithmetic. Bits are those of the functions of the package vec.
func (g *narrowGen) points() {
	g.extreme("Min", "min", false)
	g.extreme("Max", "max", true)
	g.point("Abs", "//\ty[i] = |x[i]|\n", 0, func(r int) { g.signs("AND", 9, r, r) }, fillAbs)
	g.point("Neg", "//\ty[i] = -x[i]\n", 0, func(r int) { g.signs("XOR", 8, r, r) }, fillSign)
	g.point("Sqrt", "//\ty[i] = sqrt(x[i])\n", 0, func(r int) { g.p("VSQRTPS %s, %s", g.v(r), g.v(r)) }, nil)
	g.point("Clip", "//\ty[i] = x[i], at least c[0] and then at most c[1]\n", 2, func(r int) { g.clip(8, 9, r) }, nil)
	g.point("LeakyRelu", "//\ty[i] = x[i], times c[0] where x[i] < 0\n", 1, func(r int) {
		g.op("VMULPS", 8, r, r+1)
		if g.mask {
			g.p("VPMOVD2M %s, K2\nVMOVAPS %s, K2, %s", g.v(r), g.v(r+1), g.v(r))
			return
		}
		g.p("VBLENDVPS %s, %s, %s, %s", g.v(r), g.v(r+1), g.v(r), g.v(r))
	}, nil)
	g.point("HardSigmoid", "//\ty[i] = c[0]*x[i] + c[1], at least c[2] and then at most c[3]\n", 4, func(r int) {
		g.op("VMULPS", 8, r, r)
		g.op("VADDPS", 9, r, r)
		g.clip(10, 11, r)
	}, nil)
	g.point("HardSwish", "//\ty[i] = x[i] * (c[0]*x[i] + c[1], at least c[2] and then at most c[3])\n", 4, func(r int) {
		g.op("VMULPS", 8, r, r+1)
		g.op("VADDPS", 9, r+1, r+1)
		g.clip(10, 11, r+1)
		g.op("VMULPS", r+1, r, r)
	}, nil)
}

// clip makes register r at least register low and then at most register high; NaN and zeros stay.
func (g *narrowGen) clip(low, high, r int) {
	g.op("VMAXPS", r, low, r)
	g.op("VMINPS", r, high, r)
}

// signs computes to = left op right on bits.
func (g *narrowGen) signs(op string, right, left, to int) {
	if g.mask {
		g.op("VP"+op+"D", right, left, to)
		return
	}
	g.op("V"+op+"PS", right, left, to)
}

// fillSign makes register 8 the bit of the sign, fillAbs register 9 all others.
func fillSign(g *narrowGen) {
	if g.mask {
		g.p("VPTERNLOGD $0xFF, Z8, Z8, Z8\nVPSLLD $31, Z8, Z8")
		return
	}
	g.p("VPCMPEQD Y8, Y8, Y8\nVPSLLD $31, Y8, Y8")
}

func fillAbs(g *narrowGen) {
	if g.mask {
		g.p("VPTERNLOGD $0xFF, Z9, Z9, Z9\nVPSRLD $1, Z9, Z9")
		return
	}
	g.p("VPCMPEQD Y9, Y9, Y9\nVPSRLD $1, Y9, Y9")
}

// point prints a function of x with constants, which begin in register 8;
// body changes a register and may use the next.
func (g *narrowGen) point(name, doc string, constants int, body func(r int), fill func(*narrowGen)) {
	slices := []string{"y", "x"}
	if constants > 0 {
		slices = append(slices, "c")
	}
	g.begin("f32"+name+g.name, doc, slices...)
	for i := range constants {
		g.p("VBROADCASTSS %d(%s), %s", 4*i, g.ptrs[2], g.v(8+i))
	}
	if fill != nil {
		fill(g)
	}
	g.loops(4, g.ptrs[:2], func(r, off int, masked bool) {
		g.load(1, off, g.v(r), masked)
		body(r)
		g.store(g.v(r), 0, off, masked)
	})
	g.end()
}

// extreme prints the minimum of two numbers, or the maximum as minus the
// minimum of both negated. Both orders of the operands together keep NaN of
// either, and -0 where one is -0.
func (g *narrowGen) extreme(name, doc string, negate bool) {
	g.begin("f32"+name+g.name, "//\ty[i] = "+doc+"(a[i], b[i])\n", "y", "a", "b")
	if negate {
		fillSign(g)
	}
	g.loops(1, g.ptrs, func(_, off int, masked bool) {
		g.load(1, off, g.v(0), masked)
		g.load(2, off, g.v(1), masked)
		for i := range 2 {
			if negate {
				g.signs("XOR", 8, i, i)
			}
		}
		g.op("VMINPS", 1, 0, 2)
		g.op("VMINPS", 0, 1, 0)
		if g.mask {
			g.op("VPORD", 2, 0, 0)
		} else {
			g.op("VORPS", 2, 0, 0)
		}
		if negate {
			g.signs("XOR", 8, 0, 0)
		}
		g.store(g.v(0), 0, off, masked)
	})
	g.end()
}
