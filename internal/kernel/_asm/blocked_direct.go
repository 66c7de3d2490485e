package main

import (
	"fmt"
	"path/filepath"
)

// blockedDirect writes the tiles of direct convolutions.
func blockedDirect() error {
	f := newFile("blocked")
	f.direct()
	f.activations()
	return f.write(filepath.Join("..", "blocked"), "direct")
}

// A directGen prints the tile of a blocked convolution for one instruction
// set. Its argument is a struct, whose offsets the compiler gives in
// go_asm.h.
//
// Registers: DX the struct; SI and R8 the first pixels of the two halves of
// the tile; R9, R10, R11 one, three and five steps from pixel to pixel; DI the
// weights; R13 and R12 where the row and the column of taps begin; AX, BX and
// CX what is left of the loops. On the stack are the rows, the columns and the
// tiles that are left, the first pixel and how far y has gone.
type directGen struct {
	*file
	isa
	fn    string
	vecs  int  // vectors of output channels
	width int  // output channels
	plain bool // the input is plain
}

// direct prints the tiles of all instruction sets.
func (f *file) direct() {
	f.p("#include \"go_asm.h\"\n")
	for _, plain := range []bool{false, true} {
		f.directTile(avx512, 2, 32, plain)
		f.directTile(avx512, 1, 16, plain)
		f.directTile(avx2, 2, 16, plain)
	}
}

func (f *file) directTile(set isa, vecs, width int, plain bool) {
	g := &directGen{file: f, isa: set, vecs: vecs, width: width, plain: plain}
	kind := ""
	if plain {
		kind = "Plain"
	}
	g.fn = fmt.Sprintf("f32Direct%s%dx%d%s", kind, set.rows, width, set.name)
	g.d("// %s is directGeneric for 1 to %d pixels and %d output channels.\n//", g.fn, set.rows, width)
	g.d("//go:noescape\nfunc %s(t *directTile)\n", g.fn)
	g.p("// func %s(t *directTile)", g.fn)
	g.p("TEXT ·%s(SB), NOSPLIT, $48-8", g.fn)
	g.p("MOVQ t+0(FP), DX\nMOVQ %s, BX\nMOVQ BX, x-16(SP)\nMOVQ $0, y-24(SP)", g.at("x"))
	g.p("MOVQ %s, BX\nADDQ %s, BX\nMOVQ BX, fetch-48(SP)", g.at("w"), g.at("wFetch"))
	g.p("MOVQ %s, BX\nMOVQ BX, repeats-32(SP)\nMOVQ %s, BX", g.at("repeats"), g.at("pixels"))
	for r := set.rows; r > 1; r-- {
		g.p("CMPQ BX, $%d\nJEQ pixels%d", r, r)
	}
	for r := 1; r <= set.rows; r++ {
		g.body(r)
	}
}

// at addresses a field of the struct.
func (g *directGen) at(field string) string { return "directTile_" + field + "(DX)" }

func (g *directGen) v(i int) string { return fmt.Sprintf("%s%d", g.reg, i) }

// directHalf is the pixels of the first half of a tile.
func directHalf(r int) int { return (r + 1) / 2 }

// body prints the tile of r pixels.
func (g *directGen) body(r int) {
	l := func(s string) string { return fmt.Sprintf("%s%d", s, r) }
	g.p("\n%s:", l("pixels"))
	g.first(r, l)
	g.p("MOVQ %s, BX\nTESTQ BX, BX\nJZ %s\nMOVQ BX, left-8(SP)", g.at("rows"), l("done"))
	g.p("MOVQ x-16(SP), R13\nMOVQ %s, DI", g.at("w"))
	g.p("MOVQ %s, R9\nLEAQ (R9)(R9*2), R10\nLEAQ (R9)(R9*4), R11", g.at("xPixel"))
	if g.plain {
		g.plainLoops(r, l)
	} else {
		g.blockedLoops(r, l)
	}
	g.p("%s:", l("done"))
	g.last(r, l)
}

// blockedLoops prints the loops over rows and columns of taps, blocks and
// channels, four at a time. Meanwhile it fetches weights from AX on that are
// needed later, a quarter as many as it uses.
func (g *directGen) blockedLoops(r int, l func(string) string) {
	g.p("MOVQ fetch-48(SP), AX")
	g.p("%s:\nMOVQ R13, R12\nMOVQ %s, BX\nMOVQ BX, cols-40(SP)", l("row"), g.at("cols"))
	g.p("%s:\nMOVQ R12, SI\nMOVQ R12, R8\nADDQ %s, R8\nMOVQ %s, BX", l("col"), g.at("xSecond"), g.at("channels"))
	g.p("%s:\nMOVQ $4, CX\nCMPQ BX, CX\nCMOVQLT BX, CX\nSUBQ CX, BX", l("block"))
	g.p("PCALIGN $64\n%s:", l("channel"))
	for u := range 4 {
		if u%2 == 0 && u < g.width/8 {
			g.p("PREFETCHT1 %d(AX)", 32*u)
		}
		g.step(r, u)
	}
	g.p("ADDQ $16, SI\nADDQ $16, R8\nADDQ $%d, DI\nADDQ $%d, AX\nDECQ CX\nJNZ %s", 16*g.width, 4*g.width, l("channel"))
	g.p("ADDQ %s, SI\nADDQ %s, R8\nTESTQ BX, BX\nJNZ %s", g.at("channelStep"), g.at("channelStep"), l("block"))
	g.p("ADDQ %s, R12\nDECQ cols-40(SP)\nJNZ %s", g.at("colStep"), l("col"))
	g.p("ADDQ %s, R13\nADDQ %s, DI\nDECQ left-8(SP)\nJNZ %s", g.at("rowStep"), g.at("wSkip"), l("row"))
	g.p("MOVQ AX, fetch-48(SP)")
}

// plainLoops prints the loops over rows of taps, channels and columns of taps.
func (g *directGen) plainLoops(r int, l func(string) string) {
	g.p("MOVQ %s, BX", g.at("colStep"))
	g.p("%s:\nMOVQ R13, R12\nMOVQ %s, AX", l("row"), g.at("channels"))
	g.p("%s:\nMOVQ R12, SI\nMOVQ R12, R8\nADDQ %s, R8\nMOVQ %s, CX", l("channel"), g.at("xSecond"), g.at("cols"))
	g.p("PCALIGN $64\n%s:", l("col"))
	g.step(r, 0)
	g.p("ADDQ BX, SI\nADDQ BX, R8\nADDQ $%d, DI\nDECQ CX\nJNZ %s", 4*g.width, l("col"))
	g.p("ADDQ %s, R12\nADDQ %s, DI\nDECQ AX\nJNZ %s", g.at("channelStep"), g.at("wSkip"), l("channel"))
	g.p("ADDQ %s, R13\nDECQ left-8(SP)\nJNZ %s", g.at("rowStep"), l("row"))
}

// directSteps are the places of up to seven pixels.
var directSteps = [7]string{"", "(R9*1)", "(R9*2)", "(R10*1)", "(R9*4)", "(R11*1)", "(R10*2)"}

// step prints the multiplications of one channel.
func (g *directGen) step(r, u int) {
	acc := r * g.vecs
	for v := range g.vecs {
		g.p("VMOVUPS %d(DI), %s", u*4*g.width+v*g.bytes, g.v(acc+v))
	}
	spare := g.regs - acc - g.vecs
	for i := range r {
		base, at := "(SI)", i
		if i >= directHalf(r) {
			base, at = "(R8)", i-directHalf(r)
		}
		x := g.v(acc + g.vecs + i%spare)
		g.p("VBROADCASTSS %d%s%s, %s", u*4, base, directSteps[at], x)
		for v := range g.vecs {
			g.p("VFMADD231PS %s, %s, %s", g.v(acc+v), x, g.v(i*g.vecs+v))
		}
	}
}

// vector is the place of a vector in a pixel of y at BX; R10 is the step from
// block to block.
func (g *directGen) vector(v int) string {
	if v > 0 && g.width == 32 {
		return "(BX)(R10*1)"
	}
	return fmt.Sprintf("%d(BX)", v*g.bytes)
}

// walk calls f for each pixel with its place in BX, beginning at a field.
func (g *directGen) walk(r int, field string, f func(i int)) {
	g.p("MOVQ %s, BX\nADDQ y-24(SP), BX\nMOVQ %s, R9\nMOVQ %s, R10", g.at(field), g.at("yPixel"), g.at("yBlock"))
	for i := range r {
		switch {
		case i == 0:
		case i == directHalf(r):
			g.p("MOVQ %s, BX\nADDQ y-24(SP), BX\nADDQ %s, BX", g.at(field), g.at("ySecond"))
		default:
			g.p("ADDQ R9, BX")
		}
		f(i)
	}
}

// first starts the sums from the bias.
func (g *directGen) first(r int, l func(string) string) {
	g.p("MOVQ %s, BX\nTESTQ BX, BX\nJNZ %s", g.at("bias"), l("bias"))
	xor := "VXORPS"
	if g.mask {
		xor = "VPXORD"
	}
	for i := range g.vecs {
		g.p("%s %s, %s, %s", xor, g.v(i), g.v(i), g.v(i))
	}
	g.p("JMP %s\n%s:", l("start"), l("bias"))
	for v := range g.vecs {
		g.p("VMOVUPS %d(BX), %s", v*g.bytes, g.v(v))
	}
	g.p("%s:", l("start"))
	for i := g.vecs; i < r*g.vecs; i++ {
		g.p("VMOVAPS %s, %s", g.v(i%g.vecs), g.v(i))
	}
}

// last adds the residual, clips and stores. VMAXPS and VMINPS return their
// second source, the first as written here, if either is NaN and if both are
// zero.
func (g *directGen) last(r int, l func(string) string) {
	g.p("CMPQ %s, $0\nJEQ %s", g.at("residual"), l("alone"))
	g.walk(r, "residual", func(i int) {
		for v := range g.vecs {
			g.p("VADDPS %s, %s, %s", g.vector(v), g.v(i*g.vecs+v), g.v(i*g.vecs+v))
		}
	})
	g.p("%s:\nCMPQ %s, $0\nJEQ %s", l("alone"), g.at("clip"), l("store"))
	low, high := g.v(r*g.vecs), g.v(r*g.vecs+1)
	g.p("VBROADCASTSS %s, %s\nVBROADCASTSS %s, %s", g.at("low"), low, g.at("high"), high)
	for i := range r * g.vecs {
		g.p("VMAXPS %s, %s, %s\nVMINPS %s, %s, %s", g.v(i), low, g.v(i), g.v(i), high, g.v(i))
	}
	g.p("%s:", l("store"))
	g.walk(r, "y", func(i int) {
		for v := range g.vecs {
			g.p("VMOVUPS %s, %s", g.v(i*g.vecs+v), g.vector(v))
		}
	})
	g.p("DECQ repeats-32(SP)\nJZ %s", l("end"))
	g.p("MOVQ %s, BX\nADDQ BX, x-16(SP)\nMOVQ %s, BX\nADDQ BX, y-24(SP)\nJMP %s", g.at("xNext"), g.at("yNext"), l("pixels"))
	g.p("%s:\nVZEROUPPER\nRET", l("end"))
}

// activations prints the activations that are a few operations. y has whole
// blocks and is changed in place.
func (f *file) activations() {
	for _, set := range []isa{avx512, avx2} {
		g := &directGen{file: f, isa: set}
		g.activation("LeakyRelu", g.leakyRelu)
		g.activation("HardSigmoid", g.hardSigmoid)
		g.activation("HardSwish", g.hardSwish)
	}
}

// activation prints one: vector 0 is x and the result, 4 is alpha, 5 beta, 6
// zero and 7 one.
func (g *directGen) activation(name string, f func()) {
	fn := "f32" + name + g.name
	fr := newFrame()
	fr.slice("y", "float32")
	fr.add("alpha", "float32", 4, "")
	fr.add("beta", "float32", 4, "")
	g.d("// %s applies the activation %s to whole blocks:\n//", fn, name)
	g.d("//\tfor i, x := range y {\n//\t\ty[i] = apply(x)\n//\t}\n//")
	g.d("//go:noescape\nfunc %s(%s)\n", fn, fr.list)
	g.p("// func %s(%s)\nTEXT ·%s(SB), NOSPLIT, $0-%d", fn, fr.list, fn, fr.size)
	g.p("MOVQ %s, SI\nMOVQ y_len+8(FP), CX\nSHRQ $%d, CX\nJZ done", fr.at["y"], map[int]int{64: 4, 32: 3}[g.bytes])
	g.p("VBROADCASTSS %s, %s\nVBROADCASTSS %s, %s", fr.at["alpha"], g.v(4), fr.at["beta"], g.v(5))
	g.p("VXORPS X6, X6, X6\nMOVL $0x3F800000, AX\nVMOVD AX, X7\nVBROADCASTSS X7, %s", g.v(7))
	g.p("loop:\nVMOVUPS (SI), %s", g.v(0))
	f()
	g.p("VMOVUPS %s, (SI)\nADDQ $%d, SI\nDECQ CX\nJNZ loop\ndone:\nVZEROUPPER\nRET", g.v(0), g.bytes)
}

func (g *directGen) leakyRelu() {
	if g.mask {
		g.p("VCMPPS $1, Z6, Z0, K1\nVMULPS Z0, Z4, K1, Z0")
		return
	}
	g.p("VCMPPS $1, Y6, Y0, Y1\nVMULPS Y0, Y4, Y2\nVBLENDVPS Y1, Y2, Y0, Y0")
}

func (g *directGen) hardSigmoid() {
	g.p("VMULPS %s, %s, %s", g.v(0), g.v(4), g.v(0))
	g.unit(0)
}

func (g *directGen) hardSwish() {
	g.p("VDIVPS %s, %s, %s", g.v(4), g.v(0), g.v(1))
	g.unit(1)
	g.p("VMULPS %s, %s, %s", g.v(1), g.v(0), g.v(0))
}

// unit adds beta and cuts to between zero and one; NaN stays.
func (g *directGen) unit(i int) {
	x := g.v(i)
	g.p("VADDPS %s, %s, %s\nVMAXPS %s, %s, %s\nVMINPS %s, %s, %s", g.v(5), x, x, x, g.v(6), x, x, g.v(7), x)
}
