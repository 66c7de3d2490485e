package main

// reduction prints sums in float64 of a multiple of 16 elements, one for each
// place modulo 16, of which there are sets. body adds vector i; register 8
// holds the constant.
func (g *wideGen) reduction(name, doc string, sets int, inputs []string, body func(i, vectors int)) {
	fn := "f32" + name + g.name
	g.frame = newFrame()
	g.word("n")
	g.slice("s", "float64")
	regs := []string{"SI", "R8"}
	for _, in := range inputs {
		g.slice(in, "float32")
	}
	g.slice("c", "float64")
	g.d("// %s adds n elements, a multiple of 16, to sums:\n//\n%s//\n//go:noescape\nfunc %s(%s)\n", fn, doc, fn, g.list)
	g.p("\n// func %s(%s)\nTEXT ·%s(SB), NOSPLIT, $0-%d\nMOVQ n+0(FP), CX\nMOVQ %s, DI\nMOVQ %s, DX", fn, g.list, fn, g.size, g.at["s"], g.at["c"])
	for i, in := range inputs {
		g.p("MOVQ %s, %s", g.at[in], regs[i])
	}
	vectors := 128 / g.bytes
	for i := range sets * vectors {
		g.p("VMOVUPD %d(DI), %s", i*g.bytes, g.v(i))
	}
	g.p("VBROADCASTSD (DX), %s\nTESTQ CX, CX\nJZ done\n\nloop:", g.v(8))
	for i := range vectors {
		body(i, vectors)
	}
	for i := range inputs {
		g.p("ADDQ $64, %s", regs[i])
	}
	g.p("SUBQ $16, CX\nJG loop\n\ndone:")
	for i := range sets * vectors {
		g.p("VMOVUPD %s, %d(DI)", g.v(i), i*g.bytes)
	}
	g.end()
}

// batch prints what batch normalisation does.
func (g *wideGen) batch() {
	g.reduction("Deviations", "//\td := float64(x[i]) - c[0]\n//\ts[i%16] += d * d\n", 1, []string{"x"}, func(i, _ int) {
		g.p("VCVTPS2PD %d(SI), %s", i*g.bytes/2, g.v(9))
		g.op("VSUBPD", g.v(8), 9, 9)
		g.op("VMULPD", g.v(9), 9, 9)
		g.op("VADDPD", g.v(9), i, i)
	})
	g.reduction("Products", "//\ts[i%16] += float64(dy[i])\n//\ts[16+i%16] += float64(dy[i]) * (float64(x[i]) - c[0])\n", 2, []string{"dy", "x"}, func(i, vectors int) {
		g.p("VCVTPS2PD %d(SI), %s", i*g.bytes/2, g.v(9))
		g.p("VCVTPS2PD %d(R8), %s", i*g.bytes/2, g.v(10))
		g.op("VADDPD", g.v(9), i, i)
		g.op("VSUBPD", g.v(8), 10, 10)
		g.op("VMULPD", g.v(10), 9, 10)
		g.op("VADDPD", g.v(10), vectors+i, vectors+i)
	})
}

// affine prints y = a·x + d.
func (g *vecGen) affine() {
	g.begin("f32Affine"+g.name, "//\ty[i] = c[0]*x[i] + c[1]\n", "y", "x", "c")
	g.loops(4, g.constants(2), func(r, off int, masked bool) {
		g.load(1, off, g.v(r), masked)
		g.p("VMULPS %s, %s, %s", g.v(r), g.constant(0), g.v(r))
		g.p("VADDPS %s, %s, %s", g.constant(1), g.v(r), g.v(r))
		g.store(g.v(r), 0, off, masked)
	})
	g.end()
}

// batchGrad prints the gradient of batch normalisation in float64.
func (g *wideGen) batchGrad() {
	fn := "f32BatchGrad" + g.name
	g.frame = newFrame()
	g.word("n")
	for _, s := range []string{"dx", "dy", "x"} {
		g.slice(s, "float32")
	}
	g.slice("c", "float64")
	g.d("// %s runs over n elements:\n//\n//\tdx[i] = float32(c[0] * (float64(dy[i]) - c[1] - (float64(x[i])-c[2])*c[3]))\n//\n//go:noescape\nfunc %s(%s)\n", fn, fn, g.list)
	g.p("\n// func %s(%s)\nTEXT ·%s(SB), NOSPLIT, $0-%d\nMOVQ n+0(FP), CX\nMOVQ %s, DX", fn, g.list, fn, g.size, g.at["c"])
	g.ptrs = []string{"DI", "SI", "R8"}
	for i, s := range []string{"dx", "dy", "x"} {
		g.p("MOVQ %s, %s", g.at[s], g.ptrs[i])
	}
	for i := range 4 {
		g.p("VBROADCASTSD %d(DX), %s", 8*i, g.v(8+i))
	}
	g.loops(1, g.ptrs, func(_, _ int, masked bool) {
		for i := range 2 {
			g.load(1+i, 0, g.half(i), masked)
			g.p("VCVTPS2PD %s, %s", g.half(i), g.v(i))
		}
		g.op("VSUBPD", g.v(9), 0, 0)
		g.op("VSUBPD", g.v(10), 1, 1)
		g.op("VMULPD", g.v(11), 1, 1)
		g.op("VSUBPD", g.v(1), 0, 0)
		g.op("VMULPD", g.v(8), 0, 3)
		g.narrow(3)
		g.store(g.half(3), 0, 0, masked)
	})
	g.end()
}
