package main

// rows prints what Softmax and the normalisations of rows are made of.
func (g *narrowGen) rows() {
	g.greatest()
	g.expSum()
}

// row prints the stub and the head of a function of n, slices and maybe a
// shift that returns a float32.
func (g *narrowGen) row(fn, doc string, shift bool, slices ...string) {
	g.frame = newFrame()
	g.word("n")
	regs := []string{"DI", "SI", "DX"}
	for _, s := range slices {
		g.slice(s, "float32")
	}
	if shift {
		g.add("shift", "float32", 8, "")
	}
	g.d("// %s %s\n//\n//go:noescape\nfunc %s(%s) float32\n", fn, doc, fn, g.list)
	g.p("\n// func %s(%s) float32\nTEXT ·%s(SB), NOSPLIT, $0-%d\nMOVQ n+0(FP), CX", fn, g.list, fn, g.frame.size+4)
	for i, s := range slices {
		g.p("MOVQ %s, %s", g.at[s], regs[i])
	}
}

// join makes the one number of the sixteen in registers i and, on AVX2, i+1,
// halves to halves, and returns it.
func (g *narrowGen) join(op string, i int) {
	if g.mask {
		g.p("VEXTRACTF64X4 $1, Z%d, Y1\n%s Y1, Y%d, Y0", i, op, i)
	} else {
		g.p("%s Y%d, Y%d, Y0", op, i+1, i)
	}
	g.p("VEXTRACTF128 $1, Y0, X1\n%s X1, X0, X0\nVMOVHLPS X0, X0, X1\n%s X1, X0, X0\nVMOVSHDUP X0, X1\n%s X1, X0, X0", op, op, op)
	g.p("VMOVSS X0, ret+%d(FP)", g.frame.size)
	g.end()
}

// rest prints the mask of the CX elements that are left, up to 16: K1, or
// vectors 14 and 15.
func (g *narrowGen) rest() {
	if g.mask {
		g.p("MOVQ $1, BX\nSHLQ CX, BX\nDECQ BX\nKMOVW BX, K1")
		return
	}
	g.p("VMOVQ CX, X15\nVPBROADCASTD X15, Y15\nVPCMPGTD count<>+32(SB), Y15, Y14\nVPCMPGTD count<>(SB), Y15, Y15")
}

// greatest prints the maximum of a row; of a row with NaN it is any number.
func (g *narrowGen) greatest() {
	g.row("f32Greatest"+g.name, "returns the greatest of n elements, at least one; any number if one of them is NaN.", false, "x")
	halves := 64 / g.bytes
	for i := range halves {
		g.p("VBROADCASTSS (DI), %s", g.v(i))
	}
	g.p("SUBQ $16, CX\nJLT rest\n\nloop:")
	for i := range halves {
		g.p("VMAXPS %d(DI), %s, %s", i*g.bytes, g.v(i), g.v(i))
	}
	g.p("ADDQ $64, DI\nSUBQ $16, CX\nJGE loop\n\nrest:\nADDQ $16, CX\nJZ done")
	g.rest()
	if g.mask {
		g.p("VMOVUPS (DI), K1, Z1\nVMAXPS Z1, Z0, K1, Z0")
	} else {
		for i, mask := range []int{15, 14} {
			g.p("VMASKMOVPS %d(DI), Y%d, Y2\nVBLENDVPS Y%d, Y2, Y%d, Y2\nVMAXPS Y2, Y%d, Y%d", 32*i, mask, mask, i, i, i)
		}
	}
	g.p("\ndone:")
	g.join("VMAXPS", 0)
}

// expSum prints y = e^(x - shift), which is at most 1, and the sum in sixteen
// lanes.
func (g *narrowGen) expSum() {
	g.row("f32ExpSum"+g.name, "computes y[i] = exp(x[i] - shift), where x[i] is at most shift, with the constants c, and\n// returns their sum: sixteen lanes, then halves to halves.", true, "y", "x", "c")
	halves := 64 / g.bytes
	for i := range halves {
		g.clear(g.v(10 + i))
	}
	g.p("VBROADCASTSS %s, %s", g.at["shift"], g.v(13))
	one := func(i int, mask int) {
		switch {
		case mask == 0:
			g.p("VMOVUPS %d(SI), %s", i*g.bytes, g.v(1))
		case g.mask:
			g.p("VMOVUPS.Z (SI), K1, Z1")
		default:
			g.p("VMASKMOVPS %d(SI), Y%d, Y1", i*g.bytes, mask)
		}
		g.op("VSUBPS", 13, 1, 1)
		g.limit("VMAXPS", fLow, 1)
		g.exp()
		switch {
		case mask == 0:
			g.p("VMOVUPS %s, %d(DI)", g.v(3), i*g.bytes)
			g.op("VADDPS", 3, 10+i, 10+i)
		case g.mask:
			g.p("VMOVUPS Z3, K1, (DI)\nVADDPS Z3, Z10, K1, Z10")
		default:
			g.p("VMASKMOVPS Y3, Y%d, %d(DI)\nVANDPS Y%d, Y3, Y3\nVADDPS Y3, Y%d, Y%d", mask, i*g.bytes, mask, 10+i, 10+i)
		}
	}
	g.p("SUBQ $16, CX\nJLT rest\n\nloop:")
	for i := range halves {
		one(i, 0)
	}
	g.p("ADDQ $64, SI\nADDQ $64, DI\nSUBQ $16, CX\nJGE loop\n\nrest:\nADDQ $16, CX\nJZ done")
	g.rest()
	for i := range halves {
		one(i, 15-i)
	}
	g.p("\ndone:")
	g.join("VADDPS", 10)
}

// normal prints the normalisation of a row. The constants are the mean, what
// it lost when it was rounded, the inverse deviation, and for a whole row its
// scale and bias.
func (g *narrowGen) normal(name, formula string, whole bool, params ...string) {
	doc := "//\td := x[i] - c[0] - c[1]\n//\ty[i] = " + formula + "\n"
	slices := append(append([]string{"y", "x"}, params...), "c")
	g.begin("f32"+name+g.name, doc, slices...)
	last := len(g.ptrs) - 1
	for i := range 4 {
		if i < 3 || whole {
			g.p("VBROADCASTSS %d(%s), %s", 4*i, g.ptrs[last], g.v(8+i))
		}
	}
	g.loops(4, g.ptrs[:last], func(r, off int, masked bool) {
		g.load(1, off, g.v(r), masked)
		g.op("VSUBPS", 8, r, r)
		g.op("VSUBPS", 9, r, r)
		if whole {
			g.op("VFMADD213PS", 11, 10, r)
			g.store(g.v(r), 0, off, masked)
			return
		}
		g.op("VMULPS", 10, r, r)
		g.load(2, off, g.v(r+1), masked)
		if len(params) == 1 {
			g.op("VMULPS", r+1, r, r)
			g.store(g.v(r), 0, off, masked)
			return
		}
		g.load(3, off, g.v(12), masked)
		g.op("VFMADD213PS", 12, r+1, r)
		g.store(g.v(r), 0, off, masked)
	})
	g.end()
}

// normals prints the normalisations of rows.
func (g *narrowGen) normals() {
	g.normal("Normal", "FMA(d*c[2], scale[i], bias[i])", false, "scale", "bias")
	g.normal("NormalScale", "d * c[2] * scale[i]", false, "scale")
	g.normal("NormalWhole", "FMA(d, c[2], c[3])", true)
}
