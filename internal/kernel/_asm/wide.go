package main

// A wideGen prints transcendental functions of float32 that compute in
// float64, without fused operations, so that plain Go does the same.
//
// Registers: vector 0 is x, 1 the exponent and then its rest, 2 the power of
// two, 3 the result, 4 and 5 what a function needs, 7 a constant.
type wideGen struct{ vecGen }

// The places of the constants; the package vec has them in the same order.
const (
	cLog2E = iota
	cLn2
	cLow
	cHigh
	cOne
	cBias
	cAlpha
	cExp
)

// constant loads constant i into register 7.
func (g *wideGen) constant(i int) string {
	g.p("VBROADCASTSD %d(DX), %s", 8*i, g.v(7))
	return g.v(7)
}

// with computes to = left op constant i.
func (g *wideGen) with(op string, i, left, to int) {
	if g.mask {
		g.p("%s.BCST %d(DX), %s, %s", op, 8*i, g.v(left), g.v(to))
		return
	}
	g.op(op, g.constant(i), left, to)
}

// op computes to = left op right.
func (g *wideGen) op(op, right string, left, to int) {
	g.p("%s %s, %s, %s", op, right, g.v(left), g.v(to))
}

func (g *wideGen) half(i int) string { return string("YX"[btoi(!g.mask)]) + g.v(i)[1:] }

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// poly evaluates a polynomial in register x into register to.
func (g *wideGen) poly(first, n, x, to int) {
	g.p("VBROADCASTSD %d(DX), %s", 8*(first+n-1), g.v(to))
	for i := first + n - 2; i >= first; i-- {
		g.op("VMULPD", g.v(x), to, to)
		g.with("VADDPD", i, to, to)
	}
}

// limit makes register i at most a constant, or at least; NaN stays.
func (g *wideGen) limit(op string, limit, i int) {
	c := g.constant(limit)
	g.p("%s %s, %s, %s", op, g.v(i), c, g.v(i))
}

// split makes 2 to the power of register 2 in register 4, and in register 3
// what e to the power of the rest is more than 1.
func (g *wideGen) split() {
	g.with("VMULPD", cLog2E, 1, 2)
	if g.mask {
		g.p("VRNDSCALEPD $8, %s, %s", g.v(2), g.v(2))
	} else {
		g.p("VROUNDPD $8, %s, %s", g.v(2), g.v(2))
	}
	g.with("VMULPD", cLn2, 2, 3)
	g.op("VSUBPD", g.v(3), 1, 1)
	g.poly(cExp, 7, 1, 3)
	g.op("VMULPD", g.v(1), 3, 3)
	if g.mask {
		g.p("VCVTPD2DQ %s, %s", g.v(2), g.half(4))
	} else {
		g.p("VCVTPD2DQY %s, %s", g.v(2), g.half(4))
	}
	g.p("VPMOVSXDQ %s, %s", g.half(4), g.v(4))
	g.with("VPADDQ", cBias, 4, 4)
	g.p("VPSLLQ $52, %s, %s", g.v(4), g.v(4))
}

// exp makes e to the power of register 1 in register 3.
func (g *wideGen) exp() {
	g.limit("VMINPD", cHigh, 1)
	g.limit("VMAXPD", cLow, 1)
	g.split()
	g.with("VADDPD", cOne, 3, 3)
	g.op("VMULPD", g.v(4), 3, 3)
}

// negative makes register 1 minus register i.
func (g *wideGen) negative(i int) {
	g.zero(1)
	g.op("VSUBPD", g.v(i), 1, 1)
}

func (g *wideGen) zero(i int) { g.clear(g.v(i)) }

// over makes register 3 register i divided by it plus one.
func (g *wideGen) over(i int) {
	g.with("VADDPD", cOne, 3, 3)
	g.op("VDIVPD", g.v(3), i, 3)
}

func (g *wideGen) function(name string, body func()) {
	fn := "f32" + name + g.name
	g.frame = newFrame()
	g.word("n")
	g.slice("y", "float32")
	g.slice("x", "float32")
	g.slice("c", "float64")
	g.d("// %s computes y[i] = %s(x[i]), see the function %s, with the constants c.\n//\n//go:noescape\nfunc %s(%s)\n", fn, lower(name), lower(name), fn, g.list)
	g.p("\n// func %s(%s)\nTEXT ·%s(SB), NOSPLIT, $0-%d", fn, g.list, fn, g.size)
	g.p("MOVQ n+0(FP), CX\nMOVQ %s, DI\nMOVQ %s, SI\nMOVQ %s, DX", g.at["y"], g.at["x"], g.at["c"])
	g.ptrs = []string{"DI", "SI"}
	g.loops(1, g.ptrs, func(_, _ int, masked bool) {
		if masked {
			g.load(1, 0, g.half(0), true)
			g.p("VCVTPS2PD %s, %s", g.half(0), g.v(0))
		} else {
			g.p("VCVTPS2PD (SI), %s", g.v(0))
		}
		body()
		g.narrow(3)
		g.store(g.half(3), 0, 0, masked)
	})
	g.end()
}

// narrow rounds register i to float32.
func (g *wideGen) narrow(i int) {
	if g.mask {
		g.p("VCVTPD2PS %s, %s", g.v(i), g.half(i))
		return
	}
	g.p("VCVTPD2PSY %s, %s", g.v(i), g.half(i))
}

func lower(s string) string { return string(s[0]|0x20) + s[1:] }

// functions prints all of them for one instruction set.
func (g *wideGen) functions() {
	g.function("Swish", func() {
		g.with("VMULPD", cAlpha, 0, 5)
		g.negative(5)
		g.exp()
		g.over(0)
	})
}
