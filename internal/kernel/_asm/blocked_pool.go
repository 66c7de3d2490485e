package main

import (
	"fmt"
	"path/filepath"
)

// A windowKind is what becomes of the elements of a window.
type windowKind int

const (
	windowMax windowKind = iota
	windowMean
	windowTaps // depthwise convolution of any kernel
)

// A windowGen prints functions that go over blocks of 16 channels window by
// window: all output rows of a table, along a table of pieces, each one pixel
// or four whose windows have the same taps.
//
// Registers: DX y, R8 residual or 0; R9 output row, R13 piece; AX row, BX tap
// of the window; CX rows and R10 taps left; DI weights of the row, R11 of the
// tap; R12 and SI once and three times the way from pixel to pixel; R14 the
// half of the block where a vector is half of it. Vectors 0 to 3 are the
// results, 4 to 7 what is NaN in them (masks 1 to 4 where there are masks).
type windowGen struct {
	*file
	isa
	*frame
	kind windowKind
}

const windowPixels = 4

func (g *windowGen) v(i int) string { return fmt.Sprintf("%s%d", g.reg, i) }

func (g *windowGen) halves() bool { return g.bytes < 64 }

// addHalf adds the half of the block to a pointer.
func (g *windowGen) addHalf(to string) {
	if g.halves() {
		g.p("ADDQ R14, %s", to)
	}
}

func (g *windowGen) zero(i int) {
	if g.mask {
		g.p("VPXORD %s, %s, %s", g.v(i), g.v(i), g.v(i))
		return
	}
	g.p("VXORPS %s, %s, %s", g.v(i), g.v(i), g.v(i))
}

// blockedPool writes the pooling kernels of blocked images.
func blockedPool() error {
	f := newFile("blocked")
	f.blockedWindows("PoolMax", windowMax)
	f.blockedWindows("PoolMean", windowMean)
	f.blockedPixels()
	return f.write(filepath.Join("..", "blocked"), "pool")
}

// blockedWindows prints the kernels of one kind.
func (f *file) blockedWindows(name string, kind windowKind) {
	if kind == windowMax {
		f.p("DATA outer<>+0(SB)/4, $0xff800000\nDATA outer<>+4(SB)/4, $0x7fc00000\nGLOBL outer<>(SB), RODATA|NOPTR, $8")
	}
	for _, set := range []isa{avx512, avx2} {
		g := &windowGen{file: f, isa: set, kind: kind}
		g.function("f32" + name + set.name)
	}
}

func (g *windowGen) function(fn string) {
	g.frame = newFrame()
	g.slice("rows", "line")
	g.slice("pieces", "piece")
	g.slice("x", "float32")
	for _, name := range []string{"xRow", "xTap", "xPixel", "yRow"} {
		g.word(name)
	}
	if g.kind == windowTaps {
		g.slice("w", "float32")
		g.word("wRow")
		epilogueFrame(g.frame)
		g.word("limits")
		g.add("low", "float32", 4, "")
		g.add("high", "float32", 4, "")
	} else {
		g.slice("y", "float32")
	}
	g.d("// %s goes over rows of pieces of 1 or %d pixels; see poolTable.\n//\n//go:noescape\nfunc %s(%s)\n", fn, windowPixels, fn, g.list)
	g.p("\n// func %s(%s)\nTEXT ·%s(SB), NOSPLIT, $0-%d", fn, g.list, fn, g.size)
	g.p("MOVQ %s, R9\nMOVQ %s, DX\nMOVQ %s, R12\nLEAQ (R12)(R12*2), SI", g.at["rows"], g.at["y"], g.at["xPixel"])
	if g.kind == windowTaps {
		g.p("MOVQ %s, R8", g.at["residual"])
	}
	if g.halves() {
		g.p("XORL R14, R14")
	}
	g.p("MOVQ pieces_len+32(FP), AX\nIMULQ $48, AX\nADDQ %s, AX\nMOVQ AX, pieces_cap+40(FP)", g.at["pieces"]) // the end of the pieces
	g.p("\nrow:\nMOVQ %s, R13\n\npiece:", g.at["pieces"])
	g.begin()
	g.loops("four", windowPixels)
	g.p("\none:")
	g.loops("one", 1)
	g.p("\nfinish:")
	g.finish()
	if g.halves() {
		g.p("XORQ $32, R14\nJNZ piece")
	}
	g.p("ADDQ $48, R13\nCMPQ R13, pieces_cap+40(FP)\nJNE piece\nADDQ %s, DX", g.at["yRow"])
	if g.kind == windowTaps {
		g.p("TESTQ R8, R8\nJZ further\nADDQ %s, R8\n\nfurther:", g.at["yRow"])
	}
	g.p("ADDQ $32, R9\nDECQ rows_len+8(FP)\nJNZ row\nVZEROUPPER\nRET")
}

// begin prints the first values of the results, and the place of the window.
func (g *windowGen) begin() {
	for i := range windowPixels {
		switch {
		case g.kind == windowMax:
			g.p("VBROADCASTSS outer<>+0(SB), %s", g.v(i))
			if g.mask {
				g.p("KXNORW K%d, K%d, K%d", 1+i, 1+i, 1+i)
			} else {
				g.zero(4 + i)
			}
		case g.kind == windowTaps && i == 0:
			g.p("MOVQ %s, AX", g.at["bias"])
			g.addHalf("AX")
			g.p("VMOVUPS (AX), %s", g.v(0))
		case g.kind == windowTaps:
			g.p("VMOVAPS %s, %s", g.v(0), g.v(i))
		default:
			g.zero(i)
		}
	}
	g.p("MOVQ (R9), AX\nADDQ %s, AX\nADDQ (R13), AX", g.at["x"])
	g.addHalf("AX")
	if g.kind == windowTaps {
		g.p("MOVQ 8(R9), DI\nADDQ %s, DI\nADDQ 8(R13), DI", g.at["w"])
		g.addHalf("DI")
	}
	g.p("MOVQ 16(R9), CX\nTESTQ CX, CX\nJZ finish\nCMPQ 16(R13), $0\nJEQ finish\nCMPQ 40(R13), $1\nJEQ one")
}

// loops prints the loops over rows and taps for so many pixels.
func (g *windowGen) loops(name string, pixels int) {
	g.p("\n%sRow:\nMOVQ AX, BX\nMOVQ 16(R13), R10", name)
	if g.kind == windowTaps {
		g.p("MOVQ DI, R11")
	}
	g.p("\n%sTap:", name)
	if g.kind == windowTaps {
		g.p("VMOVUPS (R11), %s\nADDQ $64, R11", g.v(8))
	}
	for i, at := range []string{"(BX)", "(BX)(R12*1)", "(BX)(R12*2)", "(BX)(SI*1)"}[:pixels] {
		g.tap(i, at)
	}
	g.p("ADDQ %s, BX\nDECQ R10\nJNZ %sTap\nADDQ %s, AX", g.at["xTap"], name, g.at["xRow"])
	if g.kind == windowTaps {
		g.p("ADDQ %s, DI", g.at["wRow"])
	}
	g.p("DECQ CX\nJNZ %sRow", name)
	if pixels > 1 {
		g.p("JMP finish")
	}
}

// tap takes one element into result i.
func (g *windowGen) tap(i int, at string) {
	switch g.kind {
	case windowMean:
		g.p("VADDPS %s, %s, %s", at, g.v(i), g.v(i))
	case windowTaps:
		g.p("VFMADD231PS %s, %s, %s", at, g.v(8), g.v(i))
	default:
		// The result is the second source, so it stays where x is NaN, which
		// is noted, and where both are zero.
		x := g.v(8 + i)
		g.p("VMOVUPS %s, %s\nVMAXPS %s, %s, %s", at, x, g.v(i), x, g.v(i))
		if g.mask {
			g.p("VCMPPS $7, %s, %s, K%d, K%d", x, x, 1+i, 1+i)
		} else {
			g.p("VCMPPS $3, %s, %s, %s\nVORPS %s, %s, %s", x, x, x, x, g.v(4+i), g.v(4+i))
		}
	}
}

// finish prints what follows a window.
func (g *windowGen) finish() {
	switch g.kind {
	case windowMax:
		g.p("VBROADCASTSS outer<>+4(SB), %s", g.v(8))
		for i := range windowPixels {
			if g.mask {
				g.p("KNOTW K%d, K%d\nVMOVAPS %s, K%d, %s", 1+i, 1+i, g.v(8), 1+i, g.v(i))
			} else {
				g.p("VBLENDVPS %s, %s, %s, %s", g.v(4+i), g.v(8), g.v(i), g.v(i))
			}
		}
	case windowMean:
		g.p("MOVQ 24(R9), AX\nIMULQ 24(R13), AX\nTESTQ AX, AX\nJNZ divide\nINCQ AX\n\ndivide:")
		g.p("VXORPS X8, X8, X8\nVCVTSI2SSQ AX, X8, X8\nVBROADCASTSS X8, %s", g.v(8))
		for i := range windowPixels {
			g.p("VDIVPS %s, %s, %s", g.v(8), g.v(i), g.v(i))
		}
	case windowTaps:
		g.p("TESTQ R8, R8\nJZ limits\nMOVQ 32(R13), BX\nADDQ R8, BX")
		g.addHalf("BX")
		g.each("limits", func(i int) { g.p("VADDPS %d(BX), %s, %s", 64*i, g.v(i), g.v(i)) })
		g.p("\nlimits:")
		g.limits()
	}
	g.p("\nwrite:\nMOVQ 32(R13), BX\nADDQ DX, BX")
	g.addHalf("BX")
	g.each("written", func(i int) { g.p("VMOVUPS %s, %d(BX)", g.v(i), 64*i) })
	g.p("\nwritten:")
}

func (g *windowGen) limits() {
	g.p("MOVQ %s, AX\nTESTQ AX, AX\nJZ write\nVBROADCASTSS %s, %s", g.at["limits"], g.at["low"], g.v(8))
	for i := range windowPixels {
		g.p("VMAXPS %s, %s, %s", g.v(i), g.v(8), g.v(i))
	}
	g.p("DECQ AX\nJZ write\nVBROADCASTSS %s, %s", g.at["high"], g.v(8))
	for i := range windowPixels {
		g.p("VMINPS %s, %s, %s", g.v(i), g.v(8), g.v(i))
	}
}

// each prints body for the pixels of the piece.
func (g *windowGen) each(end string, body func(i int)) {
	body(0)
	g.p("CMPQ 40(R13), $1\nJEQ %s", end)
	for i := 1; i < windowPixels; i++ {
		body(i)
	}
}

// blockedPixels prints loops over the pixels of a block: their sum, and what
// one pixel does to all.
func (f *file) blockedPixels() {
	for _, set := range []isa{avx512, avx2} {
		g := &windowGen{file: f, isa: set}
		g.sumPixels("f32SumPixels" + set.name)
		g.eachPixel("f32MulPixels"+set.name, "*", "VMULPS")
		g.eachPixel("f32AddPixels"+set.name, "+", "VADDPS")
		g.movePixels("f32MovePixels" + set.name)
	}
}

// sumPixels prints four chains.
func (g *windowGen) sumPixels(fn string) {
	per := 64 / g.bytes
	g.frame = newFrame()
	g.word("n")
	g.slice("x", "float32")
	g.slice("y", "float32")
	g.d("// %s adds n pixels in four chains:\n//\n//\tfor i := range n {\n//\t\tchain[i%%4] += x[16*i:][:16]\n//\t}\n//\ty = (chain[0] + chain[1]) + (chain[2] + chain[3])\n//\n//go:noescape\nfunc %s(%s)\n", fn, fn, g.list)
	g.p("\n// func %s(%s)\nTEXT ·%s(SB), NOSPLIT, $0-%d\nMOVQ n+0(FP), CX\nMOVQ %s, SI\nMOVQ %s, DX", fn, g.list, fn, g.size, g.at["x"], g.at["y"])
	for i := range 4 * per {
		g.zero(i)
	}
	add := func(i int) { g.p("VADDPS %d(SI), %s, %s", g.bytes*i, g.v(i), g.v(i)) }
	g.p("SUBQ $4, CX\nJLT rest\n\nloop:")
	for i := range 4 * per {
		add(i)
	}
	g.p("ADDQ $256, SI\nSUBQ $4, CX\nJGE loop\n\nrest:\nADDQ $4, CX\nJZ done")
	for pixel := range 3 {
		for i := range per {
			add(pixel*per + i)
		}
		if pixel < 2 {
			g.p("DECQ CX\nJZ done")
		}
	}
	g.p("\ndone:")
	for i := range per {
		at := func(chain int) string { return g.v(chain*per + i) }
		g.p("VADDPS %s, %s, %s\nVADDPS %s, %s, %s\nVADDPS %s, %s, %s", at(1), at(0), at(0), at(3), at(2), at(2), at(2), at(0), at(0))
		g.p("VMOVUPS %s, %d(DX)", at(0), g.bytes*i)
	}
	g.p("VZEROUPPER\nRET")
}

// eachPixel prints y = x op s for all pixels.
func (g *windowGen) eachPixel(fn, sign, op string) {
	per := 64 / g.bytes
	g.frame = newFrame()
	g.word("n")
	g.slice("y", "float32")
	g.slice("x", "float32")
	g.slice("s", "float32")
	g.d("// %s computes n pixels:\n//\n//\ty[16*i+c] = x[16*i+c] %s s[c]\n//\n//go:noescape\nfunc %s(%s)\n", fn, sign, fn, g.list)
	g.p("\n// func %s(%s)\nTEXT ·%s(SB), NOSPLIT, $0-%d\nMOVQ n+0(FP), CX\nMOVQ %s, DX\nMOVQ %s, SI\nMOVQ %s, DI", fn, g.list, fn, g.size, g.at["y"], g.at["x"], g.at["s"])
	for i := range per {
		g.p("VMOVUPS %d(DI), %s", g.bytes*i, g.v(8+i))
	}
	body := func(pixels int) {
		for i := range pixels * per {
			g.p("VMOVUPS %d(SI), %s\n%s %s, %s, %s", g.bytes*i, g.v(i), op, g.v(8+i%per), g.v(i), g.v(i))
		}
		for i := range pixels * per {
			g.p("VMOVUPS %s, %d(DX)", g.v(i), g.bytes*i)
		}
		g.p("ADDQ $%d, SI\nADDQ $%d, DX", 64*pixels, 64*pixels)
	}
	g.p("SUBQ $4, CX\nJLT rest\n\nloop:")
	body(4)
	g.p("SUBQ $4, CX\nJGE loop\n\nrest:\nADDQ $4, CX\nJZ done\n\none:")
	body(1)
	g.p("DECQ CX\nJNZ one\n\ndone:\nVZEROUPPER\nRET")
}

// movePixels prints a copy of blocks at fixed distances.
func (g *windowGen) movePixels(fn string) {
	g.frame = newFrame()
	g.word("n")
	g.slice("y", "float32")
	g.slice("x", "float32")
	g.word("yStep")
	g.word("xStep")
	g.d("// %s moves n pixels:\n//\n//\tcopy(y[i*yStep:][:16], x[i*xStep:][:16])\n//\n//go:noescape\nfunc %s(%s)\n", fn, fn, g.list)
	g.p("\n// func %s(%s)\nTEXT ·%s(SB), NOSPLIT, $0-%d\nMOVQ n+0(FP), CX\nMOVQ %s, DX\nMOVQ %s, SI", fn, g.list, fn, g.size, g.at["y"], g.at["x"])
	g.p("MOVQ %s, DI\nMOVQ %s, BX\nSHLQ $2, DI\nSHLQ $2, BX\nTESTQ CX, CX\nJLE done\n\nloop:", g.at["yStep"], g.at["xStep"])
	per := 64 / g.bytes
	for i := range per {
		g.p("VMOVUPS %d(SI), %s", g.bytes*i, g.v(i))
	}
	for i := range per {
		g.p("VMOVUPS %s, %d(DX)", g.v(i), g.bytes*i)
	}
	g.p("ADDQ BX, SI\nADDQ DI, DX\nDECQ CX\nJNZ loop\n\ndone:\nVZEROUPPER\nRET")
}
