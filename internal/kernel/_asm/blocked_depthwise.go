package main

import (
	"fmt"
	"path/filepath"
)

// A depthwiseGen prints depthwise convolutions of blocks of 16 channels: all
// output rows of a table, along a table of stretches of pixels.
//
// Every input pixel of a stretch is loaded once per kernel row and goes to all
// sums that have a tap for it. So a stretch is a sequence of steps, one per
// input pixel; those that lie in the padding are left out at both ends. The
// sums of a pixel see the taps from left to right all the same.
//
// Registers: SI x, DI weights, DX y, R8 residual or 0; R9 output row, R13
// stretch, R11 end of the stretches; AX input, BX weights and CX rows left of the
// window; R12 first step not to take; R14 the half of the block where a
// vector is half of it.
type depthwiseGen struct {
	*file
	isa
	*frame
	kernel, stride, pixels int
}

func (g *depthwiseGen) v(i int) string { return fmt.Sprintf("%s%d", g.reg, i) }

// halves tells whether a block takes two vectors.
func (g *depthwiseGen) halves() bool { return g.bytes < 64 }

// half is the index that leads to the half of the block.
func (g *depthwiseGen) half() string {
	if g.halves() {
		return "(R14*1)"
	}
	return ""
}

// steps is the input pixels of a full stretch.
func (g *depthwiseGen) steps() int { return (g.pixels-1)*g.stride + g.kernel }

// blockedDepthwise writes the kernels of 3, 5 and 7 columns for strides 1 and
// 2, and those of any kernel.
func blockedDepthwise() error {
	f := newFile("blocked")
	for _, set := range []isa{avx512, avx2} {
		for _, kernel := range []int{3, 5, 7} {
			for _, stride := range []int{1, 2} {
				g := &depthwiseGen{file: f, isa: set, kernel: kernel, stride: stride, pixels: 14}
				if !set.mask {
					g.pixels = 7
				}
				g.function()
			}
		}
	}
	f.blockedWindows("DepthwiseTaps", windowTaps)
	return f.write(filepath.Join("..", "blocked"), "depthwise")
}

// epilogueFrame adds the arguments of the store.
func epilogueFrame(fr *frame) {
	fr.slice("bias", "float32")
	fr.slice("residual", "float32")
	fr.slice("y", "float32")
}

func (g *depthwiseGen) function() {
	fn := fmt.Sprintf("f32Depthwise%dStride%d%s", g.kernel, g.stride, g.name)
	g.frame = newFrame()
	g.slice("rows", "line")
	g.slice("stretches", "stretch")
	g.slice("x", "float32")
	g.word("xRow")
	g.slice("w", "float32")
	epilogueFrame(g.frame)
	g.word("limits")
	g.add("low", "float32", 4, "")
	g.add("high", "float32", 4, "")
	g.d("// %s computes rows of stretches of 1 to %d pixels; see depthwiseTable.\n//\n//go:noescape\nfunc %s(%s)\n", fn, g.pixels, fn, g.list)
	g.p("\n// func %s(%s)\nTEXT ·%s(SB), NOSPLIT, $0-%d", fn, g.list, fn, g.size)
	g.p("MOVQ %s, R9\nMOVQ %s, SI\nMOVQ %s, DI\nMOVQ %s, DX\nMOVQ %s, R8", g.at["rows"], g.at["x"], g.at["w"], g.at["y"], g.at["residual"])
	g.p("MOVQ stretches_len+32(FP), R11\nSHLQ $5, R11\nADDQ %s, R11", g.at["stretches"])
	if g.halves() {
		g.p("XORL R14, R14")
	}
	g.p("\nrow:\nMOVQ %s, R13\n\nstretch:", g.at["stretches"])
	g.begin()
	g.p("CMPQ 24(R13), $%d\nJNE part", g.pixels)
	g.window("full", g.steps()-g.kernel+1)
	g.p("\npart:")
	g.window("part", 1)
	g.store()
	g.p("VZEROUPPER\nRET")
}

// begin starts the sums with the bias and points at the window.
func (g *depthwiseGen) begin() {
	bias := "AX"
	if g.halves() {
		bias = "AX)(R14*1"
	}
	g.p("MOVQ %s, AX\nVMOVUPS (%s), %s", g.at["bias"], bias, g.v(0))
	for i := 1; i < g.pixels; i++ {
		g.p("VMOVAPS %s, %s", g.v(0), g.v(i))
	}
	g.p("MOVQ (R9), AX\nADDQ SI, AX\nADDQ (R13), AX\nMOVQ 8(R9), BX\nADDQ DI, BX")
	if g.halves() {
		g.p("ADDQ R14, AX\nADDQ R14, BX")
	}
	g.p("MOVQ 16(R13), R12\nMOVQ 16(R9), CX\nTESTQ CX, CX\nJZ store")
}

// window prints the loop over the rows of the window; the stretch may end
// before any step from the one called may on.
func (g *depthwiseGen) window(name string, may int) {
	g.p("\n%sRow:", name)
	for t := range g.kernel {
		g.p("VMOVUPS %d(BX), %s", 64*t, g.v(g.pixels+t))
	}
	g.p("CMPQ 8(R13), $0\nJNE %sLeft\n", name)
	temps := g.regs - g.pixels - g.kernel
	for s := range g.steps() {
		if s >= may {
			g.p("CMPQ R12, $%d\nJEQ %sNext", s, name)
		}
		if s > 0 && s < g.kernel {
			g.p("\n%s%d:", name, s)
		}
		x := g.v(g.pixels + g.kernel + s%temps)
		g.p("VMOVUPS %d(AX), %s", 64*s, x)
		for t := s % g.stride; t < g.kernel; t += g.stride {
			if o := (s - t) / g.stride; s >= t && o < g.pixels {
				g.p("VFMADD231PS %s, %s, %s", x, g.v(g.pixels+t), g.v(o))
			}
		}
	}
	g.p("\n%sNext:\nADDQ %s, AX\nADDQ $%d, BX\nDECQ CX\nJNZ %sRow\nJMP store", name, g.at["xRow"], 64*g.kernel, name)
	g.p("\n%sLeft:", name)
	for s := 1; s < g.kernel; s++ {
		g.p("CMPQ 8(R13), $%d\nJEQ %s%d", s, name, s)
	}
	g.p("JMP %sNext", name)
}

// store prints what follows the sums, and the way to the next stretch and row.
func (g *depthwiseGen) store() {
	limit := g.v(g.pixels)
	g.p("\nstore:\nTESTQ R8, R8\nJZ limits")
	g.each("limits", func(i int) { g.p("VADDPS %d(R8)%s, %s, %s", 64*i, g.half(), g.v(i), g.v(i)) })
	g.p("\nlimits:\nMOVQ %s, AX\nTESTQ AX, AX\nJZ write\nVBROADCASTSS %s, %s", g.at["limits"], g.at["low"], limit)
	for i := range g.pixels {
		g.p("VMAXPS %s, %s, %s", g.v(i), limit, g.v(i)) // NaN and -0 stay: they are the second source
	}
	g.p("DECQ AX\nJZ write\nVBROADCASTSS %s, %s", g.at["high"], limit)
	for i := range g.pixels {
		g.p("VMINPS %s, %s, %s", g.v(i), limit, g.v(i))
	}
	g.p("\nwrite:")
	g.each("written", func(i int) { g.p("VMOVUPS %s, %d(DX)%s", g.v(i), 64*i, g.half()) })
	g.p("\nwritten:")
	if g.halves() {
		g.p("XORQ $32, R14\nJNZ stretch")
	}
	g.p("MOVQ 24(R13), AX\nSHLQ $6, AX\nADDQ AX, DX\nTESTQ R8, R8\nJZ further\nADDQ AX, R8\n\nfurther:")
	g.p("ADDQ $32, R13\nCMPQ R13, R11\nJNE stretch\nADDQ $32, R9\nDECQ rows_len+8(FP)\nJNZ row")
}

// each prints body for the pixels of the stretch and ends at the label end.
func (g *depthwiseGen) each(end string, body func(i int)) {
	g.p("MOVQ 24(R13), AX")
	for i := range g.pixels {
		if i > 0 {
			g.p("CMPQ AX, $%d\nJEQ %s", i, end)
		}
		body(i)
	}
}
