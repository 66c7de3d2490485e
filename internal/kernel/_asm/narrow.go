package main

// A narrowGen prints transcendental functions of float32 that compute in
// float32 with fused multiplications, as the functions of the same name in
// the package vec do.
//
// Registers: vector 0 is x, 1 the exponent and then its rest, 2 the power of
// two, 3 what e to the power of the rest is more than 1 and then the result,
// 7 a constant, the others what a function needs.
type narrowGen struct{ vecGen }

// The places of the constants; the package vec has them in the same order.
const (
	fLog2E = iota
	fLn2High
	fLn2Low
	fLow
	fHigh
	fMinusOne
	fMinusHalf
	fHalf
	fOne
	fTwo
	fAbs
	fSign
	fTiny32
	fTiny64
	fSigmoidFar
	fSiluFar
	fTanhFar
	fTanhNear
	fGeluFar
	fGeluNear
	fGeluCenter
	fGeluTanhFar
	fGeluTanhMost
	fErfFar
	fTanh1
	fTanh1Low
	fTanh3
	fTanh3Low
	fExp
	fTanh      = fExp + 5
	fGelu      = fTanh + 5
	fGeluSmall = fGelu + 10
	fErf       = fGeluSmall + 4
	fErfc      = fErf + 7
)

// set loads constant i into register to.
func (g *narrowGen) set(i, to int) { g.p("VBROADCASTSS %d(DX), %s", 4*i, g.v(to)) }

// with computes to = left op constant i.
func (g *narrowGen) with(op string, i, left, to int) {
	if g.mask {
		g.p("%s.BCST %d(DX), %s, %s", op, 4*i, g.v(left), g.v(to))
		return
	}
	g.set(i, 7)
	g.op(op, 7, left, to)
}

// op computes to = left op right, or a fused multiplication of three.
func (g *narrowGen) op(op string, right, left, to int) {
	g.p("%s %s, %s, %s", op, g.v(right), g.v(left), g.v(to))
}

func (g *narrowGen) move(from, to int) { g.p("VMOVAPS %s, %s", g.v(from), g.v(to)) }

// bits computes to = left op constant i on bits.
func (g *narrowGen) bits(op string, i, left, to int) {
	if g.mask {
		g.with("VP"+op+"D", i, left, to)
		return
	}
	g.with("V"+op+"PS", i, left, to)
}

// limit makes register i at most a constant, or at least; NaN stays.
func (g *narrowGen) limit(op string, limit, i int) {
	g.set(limit, 7)
	g.op(op, i, 7, i)
}

// poly evaluates a polynomial of n coefficients in register x into to.
func (g *narrowGen) poly(first, n, x, to int) {
	g.set(first+n-1, to)
	for i := first + n - 2; i >= first; i-- {
		g.with("VFMADD213PS", i, x, to)
	}
}

// split makes the power of two of register 1 in register 2, and in register 3
// what e to the power of the rest is more than 1. low is a register whose
// contents count as part of register 1, or -1.
func (g *narrowGen) split(low int) {
	g.with("VMULPS", fLog2E, 1, 2)
	if g.mask {
		g.p("VRNDSCALEPS $8, %s, %s", g.v(2), g.v(2))
	} else {
		g.p("VROUNDPS $8, %s, %s", g.v(2), g.v(2))
	}
	g.with("VFNMADD231PS", fLn2High, 2, 1)
	if low < 0 {
		g.with("VFNMADD231PS", fLn2Low, 2, 1)
		low = 4
	} else {
		g.with("VFNMADD231PS", fLn2Low, 2, low)
		g.op("VADDPS", low, 1, 1)
	}
	g.poly(fExp, 5, 1, 3)
	g.op("VMULPS", 1, 1, low)
	g.op("VFMADD213PS", 1, low, 3)
}

// power makes register to a constant times two to the power of register 2.
func (g *narrowGen) power(constant, to int) {
	g.p("VCVTPS2DQ %s, %s\nVPSLLD $23, %s, %s", g.v(2), g.v(to), g.v(to), g.v(to))
	g.with("VPADDD", constant, to, to)
}

// scale multiplies register i by two to the power of register 2, using 4 and 2.
func (g *narrowGen) scale(i int) {
	if g.mask {
		g.op("VSCALEFPS", 2, i, i)
		return
	}
	g.p("VCVTPS2DQ %s, %s\nVPSRAD $1, %s, %s", g.v(2), g.v(2), g.v(2), g.v(4))
	g.op("VPSUBD", 4, 2, 2)
	for _, k := range []int{4, 2} {
		g.p("VPSLLD $23, %s, %s", g.v(k), g.v(k))
		g.with("VPADDD", fOne, k, k)
		g.op("VMULPS", k, i, i)
	}
}

// exp makes e to the power of register 1, which is at least fLow, in register 3.
func (g *narrowGen) exp() {
	g.split(-1)
	g.with("VADDPS", fOne, 3, 3)
	g.scale(3)
}

// when moves register from to register to where left is greater than right.
func (g *narrowGen) when(left, right, from, to int) {
	if g.mask {
		g.p("VCMPPS $0x1E, %s, %s, K2\nVMOVAPS %s, K2, %s", g.v(right), g.v(left), g.v(from), g.v(to))
		return
	}
	g.p("VCMPPS $0x1E, %s, %s, %s", g.v(right), g.v(left), g.v(7))
	g.p("VBLENDVPS %s, %s, %s, %s", g.v(7), g.v(from), g.v(to), g.v(to))
}

// near moves register from to register to where register 5 is below a constant.
func (g *narrowGen) near(constant, from, to int) {
	g.set(constant, 2)
	g.when(2, 5, from, to)
}

// size makes register 5 the size of x, at most a constant.
func (g *narrowGen) size(far int) {
	g.bits("AND", fAbs, 0, 5)
	g.limit("VMINPS", far, 5)
}

// sign gives register 3 the sign of x.
func (g *narrowGen) sign() {
	g.bits("AND", fSign, 0, 0)
	if g.mask {
		g.op("VPORD", 0, 3, 3)
		return
	}
	g.op("VORPS", 0, 3, 3)
}

// relu makes register to x where it is positive, else 0; NaN stays.
func (g *narrowGen) relu(to int) {
	g.clear(g.v(to))
	g.op("VMAXPS", 0, to, to)
}

// logistic makes register 3 a constant times 1 + e to the power, after split.
func (g *narrowGen) logistic(constant int) {
	g.power(constant, 4)
	g.with("VADDPS", constant, 4, 6)
	g.op("VFMADD213PS", 6, 4, 3)
}

// less makes register 3 the positive part of x less register 5 divided by
// 1 + e to the power.
func (g *narrowGen) less() {
	g.logistic(fTiny64)
	g.op("VDIVPS", 3, 5, 5)
	g.with("VMULPS", fTiny64, 5, 5)
	g.relu(6)
	g.op("VSUBPS", 5, 6, 3)
	g.sign()
}

func (g *narrowGen) function(name string, body func()) {
	fn := "f32" + name + g.name
	g.frame = newFrame()
	g.word("n")
	g.slice("y", "float32")
	g.slice("x", "float32")
	g.slice("c", "float32")
	g.d("// %s computes y[i] = %s(x[i]), see the function %s, with the constants c.\n//\n//go:noescape\nfunc %s(%s)\n", fn, lower(name), lower(name), fn, g.list)
	g.p("\n// func %s(%s)\nTEXT ·%s(SB), NOSPLIT, $0-%d", fn, g.list, fn, g.frame.size)
	g.p("MOVQ n+0(FP), CX\nMOVQ %s, DI\nMOVQ %s, SI\nMOVQ %s, DX", g.at["y"], g.at["x"], g.at["c"])
	g.ptrs = []string{"DI", "SI"}
	g.loops(1, g.ptrs, func(_, _ int, masked bool) {
		g.load(1, 0, g.v(0), masked)
		body()
		g.store(g.v(3), 0, 0, masked)
	})
	g.end()
}

// functions prints all of them for one instruction set.
func (g *narrowGen) functions() {
	g.function("Exp", func() {
		g.move(0, 1)
		g.limit("VMINPS", fHigh, 1)
		g.limit("VMAXPS", fLow, 1)
		g.exp()
	})
	g.function("Sigmoid", func() {
		g.size(fSigmoidFar)
		g.move(5, 1)
		g.split(-1)
		g.logistic(fTiny32)
		g.set(fTiny32, 5)
		g.op("VDIVPS", 3, 5, 3)
		g.set(fOne, 5)
		g.op("VSUBPS", 3, 5, 5)
		g.clear(g.v(6))
		g.when(0, 6, 5, 3)
	})
	g.function("Silu", func() {
		g.size(fSiluFar)
		g.move(5, 1)
		g.split(-1)
		g.less()
	})
	g.function("Tanh", func() {
		g.size(fTanhFar)
		g.op("VADDPS", 5, 5, 1)
		g.split(-1)
		g.logistic(fOne)
		g.set(fTwo, 6)
		g.op("VDIVPS", 3, 6, 3)
		g.set(fOne, 6)
		g.op("VSUBPS", 3, 6, 3)
		g.op("VMULPS", 5, 5, 4)
		g.poly(fTanh, 5, 4, 6)
		g.op("VMULPS", 4, 6, 6)
		g.op("VFMADD213PS", 5, 5, 6)
		g.near(fTanhNear, 6, 3)
		g.sign()
	})
	g.function("GeluTanh", g.geluTanh)
	g.function("Gelu", g.gelu)
	g.function("Erf", g.erf)
}

func (g *narrowGen) geluTanh() {
	g.size(fGeluTanhFar)
	g.op("VMULPS", 5, 5, 6) // square and what it lost
	g.move(5, 4)
	g.op("VFMSUB213PS", 6, 5, 4)
	g.with("VMULPS", fTanh3, 6, 8)
	g.set(fTanh3, 9)
	g.op("VFMSUB213PS", 8, 6, 9)
	g.with("VADDPS", fTanh1, 8, 10) // slope and what it lost
	g.op("VSUBPS", 8, 10, 11)
	g.op("VSUBPS", 11, 10, 12)
	g.op("VSUBPS", 12, 8, 12)
	g.set(fTanh1, 13)
	g.op("VSUBPS", 11, 13, 11)
	g.op("VADDPS", 11, 12, 12)
	g.with("VADDPS", fTanh1Low, 9, 9)
	g.with("VFMADD231PS", fTanh3, 4, 9)
	g.with("VFMADD231PS", fTanh3Low, 6, 9)
	g.op("VADDPS", 9, 12, 12)
	g.op("VMULPS", 10, 5, 1)
	g.move(10, 4)
	g.op("VFMSUB213PS", 1, 5, 4)
	g.op("VFMADD231PS", 12, 5, 4)
	g.limit("VMINPS", fGeluTanhMost, 1)
	g.split(4)
	g.less()
}

func (g *narrowGen) gelu() {
	g.size(fGeluFar)
	g.op("VMULPS", 5, 5, 6)
	g.move(6, 4)
	g.op("VFNMADD231PS", 5, 5, 4)
	g.with("VMULPS", fHalf, 4, 4)
	g.with("VMULPS", fMinusHalf, 6, 1)
	g.limit("VMAXPS", fLow, 1)
	g.split(4)
	g.with("VADDPS", fGeluCenter, 5, 4)
	g.op("VDIVPS", 4, 5, 1)
	g.set(fTwo, 4)
	g.with("VFMADD213PS", fMinusOne, 1, 4)
	g.poly(fGelu, 10, 4, 8)
	g.op("VMULPS", 1, 8, 9)
	g.op("VFMSUB213PS", 9, 1, 8)
	g.op("VFMADD231PS", 3, 9, 8)
	g.op("VADDPS", 8, 9, 8)
	g.scale(8)
	g.relu(3)
	g.op("VSUBPS", 8, 3, 3)
	g.poly(fGeluSmall, 4, 6, 8)
	g.with("VMULPS", fHalf, 0, 4)
	g.op("VFMADD213PS", 4, 6, 8)
	g.near(fGeluNear, 8, 3)
	g.sign()
}

func (g *narrowGen) erf() {
	g.size(fErfFar)
	g.op("VMULPS", 5, 5, 6)
	g.poly(fErf, 7, 6, 8)
	g.op("VFMADD213PS", 5, 5, 8)
	g.poly(fErfc, 7, 5, 6)
	g.clear(g.v(1))
	g.op("VSUBPS", 6, 1, 1)
	g.split(-1)
	g.power(fOne, 4)
	g.set(fOne, 6)
	g.op("VSUBPS", 4, 6, 6)
	g.op("VFNMADD231PS", 4, 3, 6)
	g.move(6, 3)
	g.near(fOne, 8, 3)
	g.sign()
}
