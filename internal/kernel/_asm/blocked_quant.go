package main

import (
	"fmt"
	"path/filepath"
)

// blockedQuant writes the tiles of convolutions of bytes.
func blockedQuant() error {
	f := newFile("blocked")
	f.p("#include \"go_asm.h\"\n")
	for _, steps := range []int{4, 1} {
		f.quantTile(quant512, 2, 32, steps)
		f.quantTile(quant512, 1, 16, steps)
		f.quantTile(quantAVX2, 2, 16, steps)
	}
	f.quantRows()
	return f.write(filepath.Join("..", "blocked"), "quant")
}

var (
	quant512  = isa{name: "VNNI", reg: "Z", regs: 32, bytes: 64, rows: 14, mask: true}
	quantAVX2 = isa{name: "AVX2", reg: "Y", regs: 16, bytes: 32, rows: 5}
)

// A quantGen prints the tile of a convolution of bytes. It walks as a
// directGen does; a channel there is four channels here.
//
// With VNNI a step is one instruction. Without, the bytes of x are split into
// words of even and of odd channels, which weights of 16 bits match: Y13 and
// Y14 hold them, Y15 the mask, and Y12 a product.
type quantGen struct {
	*directGen
	steps int // of a block: 1 if there are no more than four channels
}

func (f *file) quantTile(set isa, vecs, width, steps int) {
	g := &quantGen{&directGen{file: f, isa: set, vecs: vecs, width: width}, steps}
	g.fn = fmt.Sprintf("u8Conv%dx%d%s", set.rows, width, set.name)
	if steps == 1 {
		g.fn = fmt.Sprintf("u8Conv%dx%dFew%s", set.rows, width, set.name)
	}
	g.d("// %s is quantGeneric for 1 to %d pixels and %d output channels.\n//", g.fn, set.rows, width)
	g.d("//go:noescape\nfunc %s(t *quantTile)\n", g.fn)
	g.p("// func %s(t *quantTile)", g.fn)
	g.p("TEXT ·%s(SB), NOSPLIT, $32-8", g.fn)
	g.p("MOVQ t+0(FP), DX\nMOVQ %s, BX\nMOVQ BX, x-16(SP)\nMOVQ $0, y-24(SP)", g.at("x"))
	if !set.mask {
		g.p("MOVL $0x00ff00ff, BX\nVMOVD BX, X15\nVPBROADCASTD X15, Y15")
	}
	g.p("MOVQ %s, BX\nMOVQ BX, repeats-32(SP)\nMOVQ %s, BX", g.at("repeats"), g.at("pixels"))
	for r := set.rows; r > 1; r-- {
		g.p("CMPQ BX, $%d\nJEQ pixels%d", r, r)
	}
	for r := 1; r <= set.rows; r++ {
		g.body(r)
	}
}

// own addresses a field of the struct that directTile lacks.
func (g *quantGen) own(field string) string { return "quantTile_" + field + "(DX)" }

func (g *quantGen) body(r int) {
	l := func(s string) string { return fmt.Sprintf("%s%d", s, r) }
	g.p("\n%s:\nMOVQ %s, BX", l("pixels"), g.own("start"))
	for i := range r * g.vecs {
		if i < g.vecs {
			g.p("VMOVUPS %d(BX), %s", i*g.bytes, g.v(i))
			continue
		}
		g.p("VMOVAPS %s, %s", g.v(i%g.vecs), g.v(i))
	}
	g.p("MOVQ %s, BX\nTESTQ BX, BX\nJZ %s\nMOVQ BX, left-8(SP)", g.at("rows"), l("done"))
	g.p("MOVQ x-16(SP), R13\nMOVQ %s, DI", g.at("w"))
	g.p("MOVQ %s, R9\nLEAQ (R9)(R9*2), R10\nLEAQ (R9)(R9*4), R11", g.at("xPixel"))
	g.p("%s:\nMOVQ R13, R12\nMOVQ %s, AX", l("row"), g.at("cols"))
	g.p("%s:\nMOVQ R12, SI\nMOVQ R12, R8\nADDQ %s, R8\nMOVQ %s, BX", l("col"), g.at("xSecond"), g.at("channels"))
	g.p("PCALIGN $64\n%s:", l("block"))
	for u := range g.steps {
		g.step(r, u)
	}
	g.p("ADDQ %s, SI\nADDQ %s, R8\nADDQ $%d, DI\nDECQ BX\nJNZ %s", g.at("channelStep"), g.at("channelStep"), g.steps*g.stepBytes(), l("block"))
	g.p("ADDQ %s, R12\nDECQ AX\nJNZ %s", g.at("colStep"), l("col"))
	g.p("ADDQ %s, R13\nADDQ %s, DI\nDECQ left-8(SP)\nJNZ %s", g.at("rowStep"), g.at("wSkip"), l("row"))
	g.p("%s:", l("done"))
	g.last(r, l)
}

// stepBytes is the bytes of weights of four channels.
func (g *quantGen) stepBytes() int {
	if g.mask {
		return 4 * g.width
	}
	return 8 * g.width
}

// step prints the products of four channels.
func (g *quantGen) step(r, u int) {
	acc := r * g.vecs
	if g.mask {
		for v := range g.vecs {
			g.p("VMOVDQU32 %d(DI), %s", u*g.stepBytes()+v*g.bytes, g.v(acc+v))
		}
	}
	spare := g.regs - acc - g.vecs
	for i := range r {
		base, at := "(SI)", i
		if i >= directHalf(r) {
			base, at = "(R8)", i-directHalf(r)
		}
		from := fmt.Sprintf("%d%s%s", u*4, base, directSteps[at])
		if !g.mask {
			g.halves(i, u, from)
			continue
		}
		x := g.v(acc + g.vecs + i%spare)
		g.p("VPBROADCASTD %s, %s", from, x)
		for v := range g.vecs {
			g.p("VPDPBUSD %s, %s, %s", g.v(acc+v), x, g.v(i*g.vecs+v))
		}
	}
}

// halves prints the products of four channels of a pixel, two and two.
func (g *quantGen) halves(i, u int, from string) {
	g.p("VPBROADCASTD %s, Y14\nVPAND Y15, Y14, Y13\nVPSRLW $8, Y14, Y14", from)
	for half, x := range []string{"Y13", "Y14"} {
		for v := range g.vecs {
			sum := g.v(i*g.vecs + v)
			g.p("VPMADDWD %d(DI), %s, Y12\nVPADDD Y12, %s, %s", u*g.stepBytes()+(half*g.vecs+v)*g.bytes, x, sum, sum)
		}
	}
}

// last scales the sums, cuts and rounds them, adds the zero point and stores
// bytes.
func (g *quantGen) last(r int, l func(string) string) {
	n := r * g.vecs
	g.p("MOVQ %s, BX", g.own("scale"))
	for i := range n {
		g.p("VCVTDQ2PS %s, %s", g.v(i), g.v(i))
		g.p("VMULPS %d(BX), %s, %s", i%g.vecs*g.bytes, g.v(i), g.v(i))
	}
	low, high, zero := g.v(n), g.v(n+1), g.v(n+2)
	g.p("VBROADCASTSS %s, %s\nVBROADCASTSS %s, %s\nVPBROADCASTD %s, %s", g.at("low"), low, g.at("high"), high, g.own("zero"), zero)
	for i := range n {
		g.p("VMAXPS %s, %s, %s\nVMINPS %s, %s, %s\nVCVTPS2DQ %s, %s\nVPADDD %s, %s, %s",
			low, g.v(i), g.v(i), high, g.v(i), g.v(i), g.v(i), g.v(i), zero, g.v(i), g.v(i))
	}
	g.walk(r, "y", func(i int) {
		if g.mask {
			for v := range g.vecs {
				g.p("VPMOVDB %s, %s", g.v(i*g.vecs+v), g.place(v))
			}
			return
		}
		a, b := g.v(2*i), g.v(2*i+1)
		g.p("VPACKUSDW %s, %s, %s\nVPERMQ $0xd8, %s, %s", b, a, a, a, a) // sixteen words in order
		g.p("VEXTRACTI128 $1, %s, X%d\nVPACKUSWB X%d, X%d, X%d\nVMOVDQU X%d, (BX)", a, 2*i+1, 2*i+1, 2*i, 2*i, 2*i)
	})
	g.p("DECQ repeats-32(SP)\nJZ %s", l("end"))
	g.p("MOVQ %s, BX\nADDQ BX, x-16(SP)\nMOVQ %s, BX\nADDQ BX, y-24(SP)\nJMP %s", g.at("xNext"), g.at("yNext"), l("pixels"))
	g.p("%s:\nVZEROUPPER\nRET", l("end"))
}

// place is where the block of a vector of a pixel at BX lies; R10 is the step
// from block to block.
func (g *quantGen) place(v int) string {
	if v > 0 {
		return "(BX)(R10*1)"
	}
	return "(BX)"
}

// quantRows prints the element-wise work on bytes: 16 at a time.
func (f *file) quantRows() {
	f.d("// u8MaxAVX2 sets y[i] to the greatest of a[i] and b[i] for n bytes, a multiple of 16.\n//\n//go:noescape\nfunc u8MaxAVX2(n int, y, a, b []byte)\n")
	f.p("// func u8MaxAVX2(n int, y, a, b []byte)\nTEXT ·u8MaxAVX2(SB), NOSPLIT, $0-80")
	f.p("MOVQ n+0(FP), CX\nMOVQ y_base+8(FP), DI\nMOVQ a_base+32(FP), SI\nMOVQ b_base+56(FP), DX")
	f.p("SUBQ $32, CX\nJLT tail\nloop:\nVMOVDQU (SI), Y0\nVPMAXUB (DX), Y0, Y0\nVMOVDQU Y0, (DI)\nADDQ $32, SI\nADDQ $32, DX\nADDQ $32, DI\nSUBQ $32, CX\nJGE loop")
	f.p("tail:\nADDQ $32, CX\nJZ end\nVMOVDQU (SI), X0\nVPMAXUB (DX), X0, X0\nVMOVDQU X0, (DI)\nend:\nVZEROUPPER\nRET\n")

	f.d("// u8MaxWindowsAVX2 sets pixel i of y to the greatest of taps pixels of x from pixel i*stride on; a pixel is 16 bytes.\n//\n//go:noescape\nfunc u8MaxWindowsAVX2(n, taps, stride int, y, x []byte)\n")
	f.p("// func u8MaxWindowsAVX2(n, taps, stride int, y, x []byte)\nTEXT ·u8MaxWindowsAVX2(SB), NOSPLIT, $0-72")
	f.p("MOVQ n+0(FP), CX\nMOVQ taps+8(FP), R8\nMOVQ stride+16(FP), R9\nSHLQ $4, R9\nMOVQ y_base+24(FP), DI\nMOVQ x_base+48(FP), SI\nTESTQ CX, CX\nJZ end")
	f.p("pixel:\nMOVQ SI, DX\nMOVQ R8, BX\nVMOVDQU (DX), X0\nJMP next\ntap:\nADDQ $16, DX\nVPMAXUB (DX), X0, X0\nnext:\nDECQ BX\nJNZ tap")
	f.p("VMOVDQU X0, (DI)\nADDQ $16, DI\nADDQ R9, SI\nDECQ CX\nJNZ pixel\nend:\nRET\n")

	f.d("// u8AddAVX2 is quantAdd for n bytes, a multiple of 16.\n//\n//go:noescape\nfunc u8AddAVX2(n int, y, a, b []byte, s *quantSum)\n")
	f.p("// func u8AddAVX2(n int, y, a, b []byte, s *quantSum)\nTEXT ·u8AddAVX2(SB), NOSPLIT, $0-88")
	f.p("MOVQ n+0(FP), CX\nMOVQ y_base+8(FP), DI\nMOVQ a_base+32(FP), SI\nMOVQ b_base+56(FP), DX\nMOVQ s+80(FP), BX")
	for i, name := range []string{"aScale", "bScale", "yScale", "low", "high"} {
		f.p("VBROADCASTSS quantSum_%s(BX), Y%d", name, 8+i)
	}
	f.p("VPBROADCASTD quantSum_aZero(BX), Y13\nVPBROADCASTD quantSum_bZero(BX), Y14\nVPBROADCASTD quantSum_yZero(BX), Y15")
	f.p("SHRQ $4, CX\nJZ end\nloop:")
	for half := range 2 {
		a, b := 2*half, 2*half+1
		f.p("VPMOVZXBD %d(SI), Y%d\nVPMOVZXBD %d(DX), Y%d", 8*half, a, 8*half, b)
		f.p("VPSUBD Y13, Y%d, Y%d\nVPSUBD Y14, Y%d, Y%d\nVCVTDQ2PS Y%d, Y%d\nVCVTDQ2PS Y%d, Y%d", a, a, b, b, a, a, b, b)
		f.p("VMULPS Y8, Y%d, Y%d\nVMULPS Y9, Y%d, Y%d\nVADDPS Y%d, Y%d, Y%d\nVMULPS Y10, Y%d, Y%d", a, a, b, b, b, a, a, a, a)
		f.p("VMAXPS Y11, Y%d, Y%d\nVMINPS Y12, Y%d, Y%d\nVCVTPS2DQ Y%d, Y%d\nVPADDD Y15, Y%d, Y%d", a, a, a, a, a, a, a, a)
	}
	f.p("VPACKUSDW Y2, Y0, Y0\nVPERMQ $0xd8, Y0, Y0\nVEXTRACTI128 $1, Y0, X1\nVPACKUSWB X1, X0, X0\nVMOVDQU X0, (DI)")
	f.p("ADDQ $16, SI\nADDQ $16, DX\nADDQ $16, DI\nDECQ CX\nJNZ loop\nend:\nVZEROUPPER\nRET\n")

	f.d("// u8QuantizeAVX2 is quantizeRow for n numbers, a multiple of 16.\n//\n//go:noescape\nfunc u8QuantizeAVX2(n int, y []byte, x []float32, s *quantSum)\n")
	f.p("// func u8QuantizeAVX2(n int, y []byte, x []float32, s *quantSum)\nTEXT ·u8QuantizeAVX2(SB), NOSPLIT, $0-64")
	f.p("MOVQ n+0(FP), CX\nMOVQ y_base+8(FP), DI\nMOVQ x_base+32(FP), SI\nMOVQ s+56(FP), BX")
	f.p("VBROADCASTSS quantSum_yScale(BX), Y8\nVBROADCASTSS quantSum_low(BX), Y9\nVBROADCASTSS quantSum_high(BX), Y10\nVPBROADCASTD quantSum_yZero(BX), Y11")
	f.p("SHRQ $4, CX\nJZ end\nloop:")
	for half := range 2 {
		a := 2 * half
		f.p("VMOVUPS %d(SI), Y%d\nVDIVPS Y8, Y%d, Y%d\nVCMPPS $7, Y%d, Y%d, Y4\nVANDPS Y4, Y%d, Y%d", 32*half, a, a, a, a, a, a, a) // NaN becomes 0
		f.p("VMAXPS Y9, Y%d, Y%d\nVMINPS Y10, Y%d, Y%d\nVCVTPS2DQ Y%d, Y%d\nVPADDD Y11, Y%d, Y%d", a, a, a, a, a, a, a, a)
	}
	f.p("VPACKUSDW Y2, Y0, Y0\nVPERMQ $0xd8, Y0, Y0\nVEXTRACTI128 $1, Y0, X1\nVPACKUSWB X1, X0, X0\nVMOVDQU X0, (DI)")
	f.p("ADDQ $64, SI\nADDQ $16, DI\nDECQ CX\nJNZ loop\nend:\nVZEROUPPER\nRET")
}
