package main

import "fmt"

// A vecGen prints functions over slices of float32: four vectors at a time,
// then one, then what is left under a mask.
//
// Registers: CX elements left, pointers in ptrs, masks K1 or vector 15;
// vectors from 8 on hold constants.
type vecGen struct {
	*file
	isa
	*frame
	ptrs []string // registers that walk along the slices
	step int      // bytes of a slice in one round
}

func (g *vecGen) lanes() int { return g.step / 4 }

// constant is the number of the register of constant i.
func (g *vecGen) constant(i int) string { return g.v(8 + i) }

func (g *vecGen) v(i int) string { return fmt.Sprintf("%s%d", g.reg, i) }

// load and store move one vector at byte off of pointer p; masked ones touch
// only what is left.
func (g *vecGen) load(p, off int, to string, masked bool) {
	switch {
	case masked && g.mask:
		g.p("VMOVUPS.Z %d(%s), K1, %s", off, g.ptrs[p], to)
	case masked:
		g.p("VMASKMOVPS %d(%s), %c15, %s", off, g.ptrs[p], to[0], to)
	default:
		g.p("VMOVUPS %d(%s), %s", off, g.ptrs[p], to)
	}
}

func (g *vecGen) store(from string, p, off int, masked bool) {
	switch {
	case masked && g.mask:
		g.p("VMOVUPS %s, K1, %d(%s)", from, off, g.ptrs[p])
	case masked:
		g.p("VMASKMOVPS %s, %c15, %d(%s)", from, from[0], off, g.ptrs[p])
	default:
		g.p("VMOVUPS %s, %d(%s)", from, off, g.ptrs[p])
	}
}

// begin prints the stub and the head of a function of n and slices; doc is the
// loop that it stands for.
func (g *vecGen) begin(fn, doc string, slices ...string) {
	g.frame = newFrame()
	g.word("n")
	regs := []string{"DI", "SI", "DX", "R8", "R9", "R10"}
	g.ptrs = nil
	for i, s := range slices {
		g.slice(s, "float32")
		g.ptrs = append(g.ptrs, regs[i])
	}
	g.d("// %s runs over n elements:\n//\n%s//\n//go:noescape\nfunc %s(%s)\n", fn, doc, fn, g.list)
	g.p("\n// func %s(%s)\nTEXT ·%s(SB), NOSPLIT, $0-%d\nMOVQ n+0(FP), CX", fn, g.list, fn, g.size)
	for i, s := range slices {
		g.p("MOVQ %s, %s", g.at[s], g.ptrs[i])
	}
}

// loops prints the loops; body prints one vector in registers from first on,
// at byte off. unroll is the vectors of the greatest loop.
func (g *vecGen) loops(unroll int, walk []string, body func(first, off int, masked bool)) {
	ahead := func(vectors int) {
		for _, p := range walk {
			g.p("ADDQ $%d, %s", vectors*g.step, p)
		}
	}
	if unroll > 1 {
		g.p("SUBQ $%d, CX\nJLT some\n\nloop:", unroll*g.lanes())
		for i := range unroll {
			body(2*i, i*g.step, false)
		}
		ahead(unroll)
		g.p("SUBQ $%d, CX\nJGE loop\n\nsome:\nADDQ $%d, CX", unroll*g.lanes(), unroll*g.lanes())
	}
	g.p("SUBQ $%d, CX\nJLT rest\n\none:", g.lanes())
	body(0, 0, false)
	ahead(1)
	g.p("SUBQ $%d, CX\nJGE one\n\nrest:\nADDQ $%d, CX\nJZ done", g.lanes(), g.lanes())
	if g.mask {
		g.p("MOVQ $1, BX\nSHLQ CX, BX\nDECQ BX\nKMOVW BX, K1")
	} else {
		g.p("VMOVQ CX, X15\nVPBROADCASTD X15, Y15\nVPCMPGTD count<>(SB), Y15, Y15")
	}
	body(0, 0, true)
	g.p("\ndone:")
}

func (g *vecGen) end() { g.p("VZEROUPPER\nRET") }

// counts prints the numbers 0 to 15, which masks are compared with.
func (f *file) counts() {
	for i := range 16 {
		f.p("DATA count<>+%d(SB)/4, $%d", 4*i, i)
	}
	f.p("GLOBL count<>(SB), RODATA|NOPTR, $64")
}

// vecKernels prints all functions of the package vec for one instruction set.
func (f *file) vecKernels(set isa) {
	g := &vecGen{file: f, isa: set, step: set.bytes}
	for _, op := range []struct{ name, sign, instruction string }{
		{"Add", "+", "VADDPS"}, {"Sub", "-", "VSUBPS"}, {"Mul", "*", "VMULPS"}, {"Div", "/", "VDIVPS"},
	} {
		g.begin("f32"+op.name+set.name, "//\ty[i] = a[i] "+op.sign+" b[i]\n", "y", "a", "b")
		g.loops(4, g.ptrs, func(r, off int, masked bool) {
			g.load(1, off, g.v(r), masked)
			g.load(2, off, g.v(r+1), masked)
			g.p("%s %s, %s, %s", op.instruction, g.v(r+1), g.v(r), g.v(r))
			g.store(g.v(r), 0, off, masked)
		})
		g.end()
	}
	g.relu()
	g.reluGrad()
	g.sgd()
	g.adam(true)
	g.adam(false)
	g.sums()
	g.affine()
	n := &narrowGen{vecGen{file: f, isa: set, step: set.bytes}}
	n.functions()
	n.rows()
	n.normals()
	n.points()
	w := &wideGen{vecGen: vecGen{file: f, isa: set, step: set.bytes / 2}}
	w.functions()
	w.batch()
	w.batchGrad()
}

func (g *vecGen) clear(to string) {
	if g.mask {
		g.p("VPXORD %s, %s, %s", to, to, to)
		return
	}
	g.p("VXORPS %s, %s, %s", to, to, to)
}

// relu prints a maximum with zero whose second operand, x, is the result for
// NaN and zeros.
func (g *vecGen) relu() {
	g.begin("f32Relu"+g.name, "//\ty[i] = x[i]\n//\tif y[i] < 0 {\n//\t\ty[i] = 0\n//\t}\n", "y", "x")
	g.clear(g.constant(0))
	g.loops(4, g.ptrs, func(r, off int, masked bool) {
		g.load(1, off, g.v(r), masked)
		g.p("VMAXPS %s, %s, %s", g.v(r), g.constant(0), g.v(r))
		g.store(g.v(r), 0, off, masked)
	})
	g.end()
}

func (g *vecGen) reluGrad() {
	g.begin("f32ReluGrad"+g.name, "//\tdx[i] = 0\n//\tif y[i] > 0 {\n//\t\tdx[i] = dy[i]\n//\t}\n", "dx", "dy", "y")
	g.clear(g.constant(0))
	g.loops(4, g.ptrs, func(r, off int, masked bool) {
		g.load(1, off, g.v(r), masked)
		g.load(2, off, g.v(r+1), masked)
		if g.mask {
			g.p("VCMPPS $0x1E, %s, %s, K2\nVMOVAPS.Z %s, K2, %s", g.constant(0), g.v(r+1), g.v(r), g.v(r))
		} else {
			g.p("VCMPPS $0x1E, %s, %s, %s\nVANDPS %s, %s, %s", g.constant(0), g.v(r+1), g.v(r+1), g.v(r+1), g.v(r), g.v(r))
		}
		g.store(g.v(r), 0, off, masked)
	})
	g.end()
}

// constants broadcasts the elements of the last slice, which does not walk.
func (g *vecGen) constants(n int) (walk []string) {
	last := len(g.ptrs) - 1
	for i := range n {
		g.p("VBROADCASTSS %d(%s), %s", 4*i, g.ptrs[last], g.constant(i))
	}
	return g.ptrs[:last]
}

func (g *vecGen) sgd() {
	g.begin("f32SGD"+g.name, "//\tw[i] -= g[i] * c[0] * c[1]\n", "w", "g", "c")
	g.loops(4, g.constants(2), func(r, off int, masked bool) {
		g.load(0, off, g.v(r), masked)
		g.load(1, off, g.v(r+1), masked)
		g.p("VMULPS %s, %s, %s", g.constant(0), g.v(r+1), g.v(r+1))
		g.p("VMULPS %s, %s, %s", g.constant(1), g.v(r+1), g.v(r+1))
		g.p("VSUBPS %s, %s, %s", g.v(r+1), g.v(r), g.v(r))
		g.store(g.v(r), 0, off, masked)
	})
	g.end()
}

// adam prints the step of Adam by Keras's or PyTorch's formula. The constants
// are scale, 1-beta1, beta2, 1-beta2, rate, root, epsilon.
func (g *vecGen) adam(keras bool) {
	const scale, oneBeta1, beta2, oneBeta2, rate, root, epsilon = 0, 1, 2, 3, 4, 5, 6
	op := func(instruction, right, left, to string) { g.p("%s %s, %s, %s", instruction, right, left, to) }
	name, doc := "f32AdamKeras", "//\td := g[i] * scale\n//\tm[i] += (d - m[i]) * oneBeta1\n//\tv[i] += (d*d - v[i]) * oneBeta2\n//\tw[i] -= m[i] * rate / (sqrt(v[i]) + epsilon)\n"
	if !keras {
		name, doc = "f32AdamPyTorch", "//\td := g[i] * scale\n//\tm[i] += (d - m[i]) * oneBeta1\n//\tv[i] = v[i]*beta2 + oneBeta2*d*d\n//\tw[i] -= m[i] * rate / (sqrt(v[i])/root + epsilon)\n"
	}
	g.begin(name+g.name, doc, "w", "m", "v", "g", "c")
	c, v := g.constant, g.v
	g.loops(1, g.constants(7), func(_, off int, masked bool) {
		g.load(3, off, v(0), masked)
		op("VMULPS", c(scale), v(0), v(0))
		g.load(1, off, v(1), masked)
		op("VSUBPS", v(1), v(0), v(2))
		op("VMULPS", c(oneBeta1), v(2), v(2))
		op("VADDPS", v(2), v(1), v(1))
		g.store(v(1), 1, off, masked)
		g.load(2, off, v(3), masked)
		if keras {
			op("VMULPS", v(0), v(0), v(4))
			op("VSUBPS", v(3), v(4), v(4))
			op("VMULPS", c(oneBeta2), v(4), v(4))
		} else {
			op("VMULPS", c(beta2), v(3), v(3))
			op("VMULPS", v(0), c(oneBeta2), v(4))
			op("VMULPS", v(0), v(4), v(4))
		}
		op("VADDPS", v(4), v(3), v(3))
		g.store(v(3), 2, off, masked)
		g.p("VSQRTPS %s, %s", v(3), v(5))
		if !keras {
			op("VDIVPS", c(root), v(5), v(5))
		}
		op("VADDPS", c(epsilon), v(5), v(5))
		op("VMULPS", c(rate), v(1), v(1))
		op("VDIVPS", v(5), v(1), v(1))
		g.load(0, off, v(6), masked)
		op("VSUBPS", v(1), v(6), v(6))
		g.store(v(6), 0, off, masked)
	})
	g.end()
}

// sums prints sixteen sums in float64, one for each place modulo 16.
func (g *vecGen) sums() {
	g.frame = newFrame()
	g.word("n")
	g.slice("s", "float64")
	g.slice("x", "float32")
	fn := "f32Sums" + g.name
	g.d("// %s adds n elements to sixteen sums:\n//\n//\ts[i%%16] += float64(x[i])\n//\n//go:noescape\nfunc %s(%s)\n", fn, fn, g.list)
	g.p("\n// func %s(%s)\nTEXT ·%s(SB), NOSPLIT, $0-%d\nMOVQ n+0(FP), CX\nMOVQ %s, DI\nMOVQ %s, SI", fn, g.list, fn, g.size, g.at["s"], g.at["x"])
	half := "X"
	if g.mask {
		half = "Y"
	}
	vectors := 128 / g.bytes
	for i := range vectors {
		g.p("VMOVUPD %d(DI), %s", i*g.bytes, g.v(i))
	}
	g.p("SUBQ $16, CX\nJLT rest\n\nloop:")
	for i := range vectors {
		g.p("VCVTPS2PD %d(SI), %s", i*g.bytes/2, g.v(4+i))
	}
	for i := range vectors {
		g.p("VADDPD %s, %s, %s", g.v(4+i), g.v(i), g.v(i))
	}
	g.p("ADDQ $64, SI\nSUBQ $16, CX\nJGE loop\n\nrest:\nADDQ $16, CX\nJZ done")
	if g.mask {
		g.p("MOVQ $1, BX\nSHLQ CX, BX\nDECQ BX\nKMOVW BX, K1\nVMOVUPS.Z (SI), K1, Z8\nVEXTRACTF64X4 $1, Z8, Y9")
	} else {
		g.p("VMOVQ CX, X15\nVPBROADCASTD X15, Y15\nVPCMPGTD count<>+32(SB), Y15, Y14\nVPCMPGTD count<>(SB), Y15, Y15")
		g.p("VMASKMOVPS (SI), Y15, Y8\nVMASKMOVPS 32(SI), Y14, Y10\nVEXTRACTF128 $1, Y8, X9\nVEXTRACTF128 $1, Y10, X11")
	}
	for i := range vectors {
		g.p("VCVTPS2PD %s%d, %s\nVADDPD %s, %s, %s", half, 8+i, g.v(4+i), g.v(4+i), g.v(i), g.v(i))
	}
	g.p("\ndone:")
	for i := range vectors {
		g.p("VMOVUPD %s, %d(DI)", g.v(i), i*g.bytes)
	}
	g.end()
}
