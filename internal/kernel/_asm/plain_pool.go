package main

import (
	"fmt"
	"path/filepath"
)

// A rowKind is what becomes of the elements of a window.
type rowKind int

const (
	rowMax rowKind = iota
	rowMaxAt
	rowMean
)

// A poolRowGen prints functions that pool a row of windows of plain images, a
// vector of windows at a time, with a stride of 1 or 2 elements.
//
// Registers: CX windows left, SI the first tap of the first window, R8 rows,
// R9 and R10 the ways from row to row and from tap to tap; AX row, BX tap, R11
// rows and R12 taps left; DX results, DI indices. Vectors: 0 results, 1 what
// is NaN in them or the sums of a row or their places, 2 and 3 elements, 4
// places of the elements, 5 those of the first row, 6 the way to the next tap,
// 7 and 8 (masks 1 and 2) the elements of the windows left, 9 which of them
// are taken, 10 the windows left (mask 3), 11 comparisons, 12 the growth of
// indices, 13 and 14 the first indices.
type poolRowGen struct {
	*file
	isa
	*frame
	kind   rowKind
	stride int
}

func (g *poolRowGen) v(i int) string { return fmt.Sprintf("%s%d", g.reg, i) }

func (g *poolRowGen) lanes() int { return g.bytes / 4 }

func (g *poolRowGen) zero(i int) {
	if g.mask {
		g.p("VPXORD %s, %s, %s", g.v(i), g.v(i), g.v(i))
		return
	}
	g.p("VXORPS %s, %s, %s", g.v(i), g.v(i), g.v(i))
}

// poolRows writes them all.
func poolRows() error {
	f := newFile("pool")
	f.counts()
	f.even()
	f.p("DATA outer<>+0(SB)/4, $0xff800000\nDATA outer<>+4(SB)/4, $0x7fc00000\nGLOBL outer<>(SB), RODATA|NOPTR, $8")
	for _, set := range []isa{avx512, avx2} {
		for stride := 1; stride <= 2; stride++ {
			for kind, name := range []string{"MaxRow", "MaxRowAt", "MeanRow"} {
				g := &poolRowGen{file: f, isa: set, kind: rowKind(kind), stride: stride}
				g.function(fmt.Sprintf("f32%sStride%d%s", name, stride, set.name))
			}
		}
	}
	return f.write(filepath.Join("..", "pool"), "rows")
}

func (g *poolRowGen) stub(fn string) {
	g.d("\n// %s reduces n windows of rows by taps elements:\n//\n//\tfor i := range n {\n//\t\tfor r := range rows {\n//\t\t\tfor t := range taps {", fn)
	at := fmt.Sprintf("r*rowStep+t*tapStep+i*%d", g.stride)
	switch g.kind {
	case rowMean:
		g.d("//\t\t\t\trow += x[%s]\n//\t\t\t}\n//\t\t\tsum += row\n//\t\t}\n//\t\ty[i] = sum / count\n//\t}\n//", at)
	case rowMaxAt:
		g.d("//\t\t\t\tif v := x[%s]; v > y[i] || v is the first NaN {\n//\t\t\t\t\ty[i], indices[i] = v, int64(first + %s)\n//\t\t\t\t}\n//\t\t\t}\n//\t\t}\n//\t}\n//", at, at)
	default:
		g.d("//\t\t\t\tif v := x[%s]; v > y[i] || v != v {\n//\t\t\t\t\ty[i] = v // NaN stays\n//\t\t\t\t}\n//\t\t\t}\n//\t\t}\n//\t}\n//", at)
	}
	g.d("//go:noescape\nfunc %s(%s)", fn, g.list)
}

func (g *poolRowGen) function(fn string) {
	g.frame = newFrame()
	for _, name := range []string{"n", "rows", "rowStep", "taps", "tapStep"} {
		g.word(name)
	}
	g.slice("x", "float32")
	g.slice("y", "float32")
	switch g.kind {
	case rowMaxAt:
		g.slice("indices", "int64")
		g.word("first")
	case rowMean:
		g.add("count", "float32", 4, "")
	}
	g.stub(fn)
	g.p("\n// func %s(%s)\nTEXT ·%s(SB), NOSPLIT, $0-%d", fn, g.list, fn, g.size)
	g.p("MOVQ n+0(FP), CX\nMOVQ rows+8(FP), R8\nMOVQ rowStep+16(FP), R9\nMOVQ tapStep+32(FP), R10\nMOVQ %s, SI\nMOVQ %s, DX\nSHLQ $2, R9\nSHLQ $2, R10", g.at["x"], g.at["y"])
	if g.kind == rowMaxAt {
		g.places()
	}
	if g.mask && g.stride == 2 {
		g.p("VMOVDQU32 even<>(SB), %s", g.v(9))
	}
	g.p("TESTQ CX, CX\nJLE done\n\nloop:")
	g.masks()
	g.start()
	g.p("MOVQ SI, AX\nMOVQ R8, R11\n\nrow:\nMOVQ AX, BX\nMOVQ taps+24(FP), R12")
	switch g.kind {
	case rowMean:
		g.zero(1)
	case rowMaxAt:
		g.p("%s %s, %s", g.move(), g.v(5), g.v(4))
	}
	g.p("\ntap:")
	g.load()
	g.take()
	g.p("ADDQ R10, BX\nDECQ R12\nJNZ tap")
	switch g.kind {
	case rowMean:
		g.p("VADDPS %s, %s, %s", g.v(1), g.v(0), g.v(0))
	case rowMaxAt:
		g.p("VPBROADCASTD rowStep+16(FP), %s\nVPADDD %s, %s, %s", g.v(11), g.v(11), g.v(5), g.v(5))
	}
	g.p("ADDQ R9, AX\nDECQ R11\nJNZ row")
	g.store()
	g.p("ADDQ $%d, SI\nADDQ $%d, DX\nSUBQ $%d, CX\nJG loop\n\ndone:\nVZEROUPPER\nRET", g.stride*g.bytes, g.bytes, g.lanes())
}

func (g *poolRowGen) move() string {
	if g.mask {
		return "VMOVDQA32"
	}
	return "VMOVDQA"
}

// places prepares the indices of the first vector.
func (g *poolRowGen) places() {
	g.p("MOVQ %s, DI\nVPBROADCASTD tapStep+32(FP), %s", g.at["indices"], g.v(6))
	g.p("MOVQ $%d, BX\nVMOVQ BX, X12\nVPBROADCASTQ X12, %s\nVPBROADCASTQ %s, %s", g.stride*g.lanes(), g.v(12), g.at["first"], g.v(13))
}

// masks marks the windows left, and the elements of a tap that they need.
func (g *poolRowGen) masks() {
	n := g.lanes()
	g.p("MOVQ $%d, BX\nCMPQ CX, BX\nCMOVQLT CX, BX", n)
	if g.mask {
		g.p("MOVQ CX, R13\nMOVQ $1, AX\nMOVQ BX, CX\nSHLQ CX, AX\nDECQ AX\nKMOVW AX, K3")
		if g.stride == 2 {
			g.p("MOVQ $1, AX\nLEAQ -1(CX)(CX*1), CX\nSHLQ CX, AX\nDECQ AX\nKMOVW AX, K1\nSHRQ $16, AX\nKMOVW AX, K2")
		}
		g.p("MOVQ R13, CX")
		return
	}
	g.p("VMOVQ BX, X10\nVPBROADCASTD X10, Y10")
	if g.stride == 2 {
		g.p("VPADDD Y10, Y10, Y8\nVPCMPEQD Y7, Y7, Y7\nVPADDD Y7, Y8, Y8\nVPCMPGTD count<>(SB), Y8, Y7\nVPCMPGTD count<>+32(SB), Y8, Y8")
	}
	g.p("VPCMPGTD count<>(SB), Y10, Y10")
}

// start prints the values before the first tap.
func (g *poolRowGen) start() {
	switch g.kind {
	case rowMean:
		g.zero(0)
	case rowMaxAt:
		g.p("VBROADCASTSS outer<>+0(SB), %s", g.v(0))
		table := "count"
		if g.stride == 2 {
			table = "even"
		}
		if g.mask {
			g.p("VMOVDQU32 %s<>(SB), Z5\nVMOVDQA32 Z5, Z1", table)
		} else {
			g.p("VMOVDQU %s<>(SB), Y5\nVMOVDQA Y5, Y1", table)
		}
	default:
		g.p("VBROADCASTSS outer<>+0(SB), %s", g.v(0))
		if g.mask {
			g.p("KXNORW K4, K4, K4")
		} else {
			g.zero(1)
		}
	}
}

// load reads one element of each window into vector 2.
func (g *poolRowGen) load() {
	switch {
	case g.mask && g.stride == 1:
		g.p("VMOVUPS.Z (BX), K3, Z2")
	case g.mask:
		g.p("VMOVUPS.Z (BX), K1, Z2\nVMOVUPS.Z 64(BX), K2, Z3\nVPERMT2PS Z3, Z9, Z2")
	case g.stride == 1:
		g.p("VMASKMOVPS (BX), Y10, Y2")
	default:
		g.p("VMASKMOVPS (BX), Y7, Y2\nVMASKMOVPS 32(BX), Y8, Y3\nVSHUFPS $0x88, Y3, Y2, Y2\nVPERMPD $0xD8, Y2, Y2")
	}
}

// take takes vector 2 into the results.
func (g *poolRowGen) take() {
	switch {
	case g.kind == rowMean:
		g.p("VADDPS %s, %s, %s", g.v(2), g.v(1), g.v(1))
	case g.kind == rowMaxAt && g.mask:
		// Greater or NaN, unless the best is a NaN already.
		g.p("VCMPPS $7, Z0, Z0, K4\nVCMPPS $6, Z0, Z2, K4, K4\nVMOVAPS Z2, K4, Z0\nVMOVDQA32 Z4, K4, Z1\nVPADDD Z6, Z4, Z4")
	case g.kind == rowMaxAt:
		g.p("VCMPPS $7, Y0, Y0, Y11\nVCMPPS $6, Y0, Y2, Y3\nVANDPS Y11, Y3, Y3\nVBLENDVPS Y3, Y2, Y0, Y0\nVBLENDVPS Y3, Y4, Y1, Y1\nVPADDD Y6, Y4, Y4")
	case g.mask:
		// The best is the second source: it stays where x is NaN, which is
		// noted, and of two zeros.
		g.p("VMAXPS Z0, Z2, Z0\nVCMPPS $7, Z2, Z2, K4, K4")
	default:
		g.p("VMAXPS Y0, Y2, Y0\nVCMPPS $3, Y2, Y2, Y2\nVORPS Y2, Y1, Y1")
	}
}

// store writes the results, and the indices.
func (g *poolRowGen) store() {
	switch {
	case g.kind == rowMean:
		g.p("VBROADCASTSS %s, %s\nVDIVPS %s, %s, %s", g.at["count"], g.v(2), g.v(2), g.v(0), g.v(0))
	case g.kind == rowMax && g.mask:
		g.p("KNOTW K4, K4\nVBROADCASTSS outer<>+4(SB), K4, Z0")
	case g.kind == rowMax:
		g.p("VBROADCASTSS outer<>+4(SB), Y2\nVBLENDVPS Y1, Y2, Y0, Y0")
	}
	if g.mask {
		g.p("VMOVUPS Z0, K3, (DX)")
	} else {
		g.p("VMASKMOVPS Y0, Y10, (DX)")
	}
	switch {
	case g.kind != rowMaxAt:
	case g.mask:
		g.p("VEXTRACTI64X4 $1, Z1, Y2\nVPMOVSXDQ Y1, Z1\nVPMOVSXDQ Y2, Z2\nVPADDQ Z13, Z1, Z1\nVPADDQ Z13, Z2, Z2\nVPADDQ Z12, Z13, Z13")
		g.p("VMOVDQU64 Z1, K3, (DI)\nKSHIFTRW $8, K3, K3\nVMOVDQU64 Z2, K3, 64(DI)\nADDQ $128, DI")
	default:
		g.p("VEXTRACTI128 $1, Y1, X2\nVPMOVSXDQ X1, Y1\nVPMOVSXDQ X2, Y2\nVPADDQ Y13, Y1, Y1\nVPADDQ Y13, Y2, Y2\nVPADDQ Y12, Y13, Y13")
		g.p("VEXTRACTI128 $1, Y10, X3\nVPMOVSXDQ X10, Y10\nVPMOVSXDQ X3, Y3\nVPMASKMOVQ Y1, Y10, (DI)\nVPMASKMOVQ Y2, Y3, 32(DI)\nADDQ $64, DI")
	}
}

// even prints the numbers 0, 2, ... 30: places of the first elements of windows
// beside each other.
func (f *file) even() {
	for i := range 16 {
		f.p("DATA even<>+%d(SB)/4, $%d", 4*i, 2*i)
	}
	f.p("GLOBL even<>(SB), RODATA|NOPTR, $64")
}
