package main

import (
	"fmt"
	"path/filepath"
	"strings"
)

// stripStep is the bytes from row to row of a strip between the two passes of
// a transform; package blocked knows it as well. It is no multiple of 4096 so
// that the rows fall into different sets of the cache.
const stripStep = 34 * 64

// near is how many bytes ahead weights are fetched to the first cache.
const near = 1024

// A winogradGen prints the kernels of Winograd's convolution for one
// instruction set. Pixels are 16 lanes wide, one or two vectors.
type winogradGen struct {
	*file
	isa
	side int // of the results of a tile
}

// winograd prints all kernels.
func (f *file) winograd(set isa, panels ...int) {
	w := &winogradGen{file: f, isa: set}
	w.weights()
	for _, vecs := range panels {
		w.products(vecs)
	}
	for w.side = 2; w.side <= 4; w.side += 2 {
		w.inRows()
		w.inCols()
		w.outCols()
		w.outRows()
	}
}

// points returns how many values a line of a tile is transformed to.
func (w *winogradGen) points() int { return w.side + 2 }

// fn names a transform: f32WinogradIn4RowsAVX512.
func (w *winogradGen) fn(what, along string) string {
	return fmt.Sprintf("f32Winograd%s%d%s%s", what, w.side, along, w.name)
}

// v names vector register i.
func (w *winogradGen) v(i int) string { return fmt.Sprintf("%s%d", w.reg, i) }

// op prints an instruction on registers, the result last.
func (w *winogradGen) op(name string, regs ...int) {
	var s strings.Builder
	for i, r := range regs {
		if i > 0 {
			s.WriteString(", ")
		}
		s.WriteString(w.v(r))
	}
	w.p("%s %s", name, s.String())
}

// entry prints the declaration and the text line of a function.
func (w *winogradGen) entry(fn string, fr *frame) {
	w.d("//\n//go:noescape\nfunc %s(%s)\n", fn, fr.list)
	w.p("\n// func %s(%s)", fn, fr.list)
	w.p("TEXT ·%s(SB), NOSPLIT, $0-%d", fn, fr.size)
}

// constants prints six constants for every width; register 10+i holds number i.
func (f *file) winogradConstants() {
	for _, c := range []struct {
		name string
		bits [6]uint32
	}{
		// a*a, b*b, a*a+b*b, a*a*b*b, a, b of a = 11/16, b = 3/2.
		{"winogradIn", [6]uint32{0x3ef20000, 0x40100000, 0x402e4000, 0x3f882000, 0x3f300000, 0x3fc00000}},
		// a, b, a*a, b*b, a*a*a, b*b*b.
		{"winogradOut", [6]uint32{0x3f300000, 0x3fc00000, 0x3ef20000, 0x40100000, 0x3ea66000, 0x40580000}},
	} {
		for i, bits := range c.bits {
			f.p("DATA %s<>+%d(SB)/4, $%#x", c.name, 4*i, bits)
		}
		f.p("GLOBL %s<>(SB), RODATA|NOPTR, $24", c.name)
	}
}

func (w *winogradGen) constants(name string) {
	if w.side == 2 {
		return
	}
	for i := range 6 {
		w.p("VBROADCASTSS %s<>+%d(SB), %s", name, 4*i, w.v(10+i))
	}
}

// in transforms registers 0 to 5, or 0 to 3; the results are in the registers
// returned. Tiles of 4x4 go by way of the points 0, a, -a, b, -b and infinity,
// tiles of 2x2 by 0, 1, -1 and infinity.
func (w *winogradGen) in() []int {
	if w.side == 2 {
		w.op("VSUBPS", 2, 0, 0)
		w.op("VSUBPS", 1, 3, 3)
		w.op("VADDPS", 1, 2, 4)
		w.op("VSUBPS", 1, 2, 5)
		return []int{0, 4, 5, 3}
	}
	w.op("VMOVAPS", 4, 6)
	w.op("VMOVAPS", 3, 7)
	w.op("VMOVAPS", 4, 8)
	w.op("VMOVAPS", 3, 9)
	w.op("VFNMADD231PS", 2, 11, 6)
	w.op("VFNMADD231PS", 1, 11, 7)
	w.op("VFNMADD231PS", 2, 10, 8)
	w.op("VFNMADD231PS", 1, 10, 9)
	w.op("VFNMADD231PS", 2, 12, 4)
	w.op("VFNMADD231PS", 3, 12, 5)
	w.op("VMOVAPS", 6, 2)
	w.op("VMOVAPS", 8, 3)
	w.op("VFMADD231PS", 0, 13, 4)
	w.op("VFMADD231PS", 1, 13, 5)
	w.op("VFMADD231PS", 7, 14, 2)
	w.op("VFNMADD231PS", 7, 14, 6)
	w.op("VFMADD231PS", 9, 15, 3)
	w.op("VFNMADD231PS", 9, 15, 8)
	return []int{4, 2, 6, 3, 8, 5}
}

// out transforms registers 0 to 5, or 0 to 3; the results are in the registers
// returned.
func (w *winogradGen) out() []int {
	if w.side == 2 {
		w.op("VADDPS", 2, 1, 4)
		w.op("VSUBPS", 2, 1, 5)
		w.op("VADDPS", 4, 0, 0)
		w.op("VADDPS", 3, 5, 5)
		return []int{0, 5}
	}
	w.op("VADDPS", 2, 1, 6)
	w.op("VSUBPS", 2, 1, 7)
	w.op("VADDPS", 4, 3, 8)
	w.op("VSUBPS", 4, 3, 9)
	w.op("VADDPS", 6, 0, 0)
	w.op("VMULPS", 7, 10, 1)
	w.op("VMULPS", 6, 12, 2)
	w.op("VFMADD231PS", 7, 14, 5)
	w.op("VADDPS", 8, 0, 0)
	w.op("VFMADD231PS", 9, 11, 1)
	w.op("VFMADD231PS", 8, 13, 2)
	w.op("VFMADD231PS", 9, 15, 5)
	return []int{0, 1, 2, 5}
}

// inRows prints the first pass of the input transform: along the rows of a
// strip, column by column.
func (w *winogradGen) inRows() {
	fr := newFrame()
	fr.word("n")
	for i := range 6 {
		fr.slice(fmt.Sprintf("x%d", i), "float32")
	}
	fr.slice("t", "float32")
	fn := w.fn("In", "Rows")
	w.d("// %s transforms n pixels of %d rows:\n//", fn, w.points())
	w.d("//\tfor i := range 16 * n {\n//\t\tt[i], t[strip+i], ... = winogradIn(x0[i], x1[i], ...)\n//\t}")
	w.entry(fn, fr)
	rows := []string{"SI", "DI", "R8", "R9", "R10", "R11"}[:w.points()]
	for i, r := range rows {
		w.p("MOVQ %s, %s", fr.at[fmt.Sprintf("x%d", i)], r)
	}
	w.p("MOVQ %s, DX\nMOVQ %s, CX\nXORL BX, BX", fr.at["t"], fr.at["n"])
	w.constants("winogradIn")
	w.p("PCALIGN $64\nloop:")
	for h := 0; h < 64; h += w.bytes {
		for i, r := range rows {
			w.p("VMOVUPS %d(%s)(BX*1), %s", h, r, w.v(i))
		}
		for i, r := range w.in() {
			w.p("VMOVUPS %s, %d(DX)(BX*1)", w.v(r), i*stripStep+h)
		}
	}
	w.p("ADDQ $64, BX\nDECQ CX\nJNZ loop\nVZEROUPPER\nRET")
}

// inCols prints the second pass: the pixels that a tile sees of each row
// become its factors.
func (w *winogradGen) inCols() {
	fr := newFrame()
	fr.word("n")
	fr.slice("t", "float32")
	fr.slice("v", "float32")
	fr.word("vStep")
	fn := w.fn("In", "Cols")
	w.d("// %s transforms n tiles:\n//", fn)
	w.d("//\tfor r := range %d {\n//\t\tfor i := range 16 * n {\n//\t\t\tp := t[r*strip+i/16*%d+i%%16:]", w.points(), 16*w.side)
	w.d("//\t\t\tv[%d*r*vStep+i], v[(%d*r+1)*vStep+i], ... = winogradIn(p[0], p[16], ...)\n//\t\t}\n//\t}", w.points(), w.points())
	w.entry(fn, fr)
	w.p("MOVQ %s, SI\nMOVQ %s, DX\nMOVQ %s, AX\nSHLQ $2, AX", fr.at["t"], fr.at["v"], fr.at["vStep"])
	w.p("LEAQ (AX)(AX*2), R9\nMOVQ $%d, R8", w.points())
	w.constants("winogradIn")
	w.p("\nrow:\nMOVQ %s, CX\nMOVQ SI, R10\nMOVQ DX, R11\nLEAQ (DX)(R9*1), R12\nPCALIGN $64\nloop:", fr.at["n"])
	for h := 0; h < 64; h += w.bytes {
		for i := range w.points() {
			w.p("VMOVUPS %d(R10), %s", i*64+h, w.v(i))
		}
		for i, r := range w.in() {
			w.p("VMOVUPS %s, %d(%s)", w.v(r), h, places[i])
		}
	}
	w.p("ADDQ $%d, R10\nADDQ $64, R11\nADDQ $64, R12\nDECQ CX\nJNZ loop\nADDQ $%d, SI", 64*w.side, stripStep)
	w.nextRow("DX")
}

// places are the first, second, ... of the values of a row, AX apart.
var places = []string{"R11", "R11)(AX*1", "R11)(AX*2", "R12", "R12)(AX*1", "R12)(AX*2"}

// nextRow moves a register by as many places as a row has, and ends.
func (w *winogradGen) nextRow(at string) {
	if w.side == 4 {
		w.p("LEAQ (%s)(R9*2), %s", at, at)
	} else {
		w.p("LEAQ (%s)(AX*4), %s", at, at)
	}
	w.p("DECQ R8\nJNZ row\nVZEROUPPER\nRET")
}

// outCols prints the first pass of the output transform.
func (w *winogradGen) outCols() {
	fr := newFrame()
	fr.word("n")
	fr.slice("m", "float32")
	fr.word("mStep")
	fr.slice("t", "float32")
	fn := w.fn("Out", "Cols")
	w.d("// %s transforms the products of n tiles:\n//", fn)
	w.d("//\tfor r := range %d {\n//\t\tfor i := range 16 * n {\n//\t\t\tp := t[r*strip+i/16*%d+i%%16:]", w.points(), 16*w.side)
	w.d("//\t\t\tp[0], p[16], ... = winogradOut(m[%d*r*mStep+i], m[(%d*r+1)*mStep+i], ...)\n//\t\t}\n//\t}", w.points(), w.points())
	w.entry(fn, fr)
	w.p("MOVQ %s, DX\nMOVQ %s, SI\nMOVQ %s, AX\nSHLQ $2, AX", fr.at["t"], fr.at["m"], fr.at["mStep"])
	w.p("LEAQ (AX)(AX*2), R9\nMOVQ $%d, R8", w.points())
	w.constants("winogradOut")
	w.p("\nrow:\nMOVQ %s, CX\nMOVQ DX, R10\nMOVQ SI, R11\nLEAQ (SI)(R9*1), R12\nPCALIGN $64\nloop:", fr.at["n"])
	for h := 0; h < 64; h += w.bytes {
		for i, at := range places[:w.points()] {
			w.p("VMOVUPS %d(%s), %s", h, at, w.v(i))
		}
		for i, r := range w.out() {
			w.p("VMOVUPS %s, %d(R10)", w.v(r), i*64+h)
		}
	}
	w.p("ADDQ $%d, R10\nADDQ $64, R11\nADDQ $64, R12\nDECQ CX\nJNZ loop\nADDQ $%d, DX", 64*w.side, stripStep)
	w.nextRow("SI")
}

// outRows prints the second pass of the output transform, with what follows
// the sums. VMAX and VMIN return their second source, the first as written
// here, if either is NaN, and if both are zero.
func (w *winogradGen) outRows() {
	fr := newFrame()
	fr.word("n")
	fr.word("rows")
	fr.slice("t", "float32")
	fr.slice("bias", "float32")
	fr.slice("residual", "float32")
	fr.slice("y", "float32")
	fr.word("yStep")
	fr.add("low", "float32", 4, "")
	fr.add("high", "float32", 4, "")
	fr.flag("clip")
	fn := w.fn("Out", "Rows")
	w.d("// %s finishes n pixels of 1 to %d rows; residual may be nil:\n//", fn, w.side)
	w.d("//\tfor i := range 16 * n {\n//\t\tsums := winogradOut(t[i], t[strip+i], ...)\n//\t\tfor r := range rows {")
	w.d("//\t\t\tsum := sums[r] + bias[i%%16] + residual[r*yStep+i]\n//\t\t\ty[r*yStep+i] = clipped(sum)\n//\t\t}\n//\t}")
	w.entry(fn, fr)
	w.p("MOVQ %s, SI\nMOVQ %s, DI\nMOVQ %s, R8\nMOVQ %s, DX\nMOVQ %s, R9", fr.at["t"], fr.at["bias"], fr.at["residual"], fr.at["y"], fr.at["yStep"])
	w.p("SHLQ $2, R9\nMOVQ %s, BX\nMOVQ %s, CX\nMOVBQZX %s, R10", fr.at["rows"], fr.at["n"], fr.at["clip"])
	w.p("LEAQ (R9)(R9*2), R11\nSUBQ DX, R8\nMOVQ %s, R13", fr.at["residual"])
	w.constants("winogradOut")
	w.p("PCALIGN $64\nloop:")
	rows := []string{"(%s)", "(%s)(R9*1)", "(%s)(R9*2)", "(%s)(R11*1)"}
	for h := 0; h < 64; h += w.bytes {
		l := func(s string) string { return fmt.Sprintf("%s%d", s, h) }
		for i := range w.points() {
			w.p("VMOVUPS %d(SI), %s", i*stripStep+h, w.v(i))
		}
		ys := w.out()
		for _, r := range ys {
			w.p("VADDPS %d(DI), %s, %s", h, w.v(r), w.v(r))
		}
		w.p("TESTQ R13, R13\nJZ %s\nLEAQ (R8)(DX*1), R12", l("sum"))
		for i, r := range ys {
			if i > 0 {
				w.p("CMPQ BX, $%d\nJLE %s", i, l("sum"))
			}
			w.p("VADDPS %d"+rows[i]+", %s, %s", h, "R12", w.v(r), w.v(r))
		}
		w.p("%s:\nTESTQ R10, R10\nJZ %s", l("sum"), l("store"))
		w.p("VBROADCASTSS %s, %s\nVBROADCASTSS %s, %s", fr.at["low"], w.v(6), fr.at["high"], w.v(7))
		for _, r := range ys {
			w.op("VMAXPS", r, 6, r)
			w.op("VMINPS", r, 7, r)
		}
		w.p("%s:", l("store"))
		for i, r := range ys {
			if i > 0 {
				w.p("CMPQ BX, $%d\nJLE %s", i, l("next"))
			}
			w.p("VMOVUPS %s, %d"+rows[i], w.v(r), h, "DX")
		}
		w.p("%s:", l("next"))
	}
	w.p("ADDQ $64, SI\nADDQ $64, DX\nDECQ CX\nJNZ loop\nVZEROUPPER\nRET")
}

// products prints the tile of a product: input channels are the steps, tiles
// of the image the rows, output channels the columns.
//
// Registers: SI v, R12 where it began, R8 from its last lane to the next block;
// DI u; DX m, R9 its next block; R13 times left, CX blocks, BX quarters of a block; R10 weights to come, R11 how
// far they move in a quarter.
func (w *winogradGen) products(vecs int) {
	lanes := w.bytes / 4 * vecs
	fr := newFrame()
	fr.word("times")
	fr.word("rows")
	fr.word("blocks")
	fr.slice("v", "float32")
	fr.word("vStep")
	fr.slice("u", "float32")
	fr.slice("m", "float32")
	fr.word("mStep")
	fr.word("ahead")
	fr.word("aheadStep")
	fr.flag("more")
	fn := fmt.Sprintf("f32Winograd%dx%d%s", w.rows, lanes, w.name)
	w.d("// %s multiplies, several times, 1 to %d rows by %d columns:\n//", fn, w.rows, lanes)
	w.d("//\tfor i := range times * rows {\n//\t\tfor j := range %d {\n//\t\t\tsum := float32(0) // or, for more, what stands in m", lanes)
	w.d("//\t\t\tfor p := range 16 * blocks {\n//\t\t\t\tsum = fma(v[p/16*vStep+i*16+p%%16], u[p*%d+j], sum)\n//\t\t\t}", lanes)
	w.d("//\t\t\tm[j/16*mStep+i*16+j%%16] = sum\n//\t\t}\n//\t}\n//")
	w.d("// Meanwhile it fetches u from ahead on, aheadStep elements in 4 steps.")
	w.entry(fn, fr)
	w.p("MOVQ %s, R10\nMOVQ %s, R11\nSHLQ $2, R11", fr.at["ahead"], fr.at["aheadStep"])
	w.p("MOVQ %s, SI\nMOVQ %s, R8\nMOVQ %s, DI\nMOVQ %s, DX\nMOVQ %s, R9\nLEAQ (DI)(R10*4), R10", fr.at["v"], fr.at["vStep"], fr.at["u"], fr.at["m"], fr.at["mStep"])
	w.p("SHLQ $2, R8\nSUBQ $64, R8\nSHLQ $2, R9\nMOVQ %s, R13\nMOVQ %s, AX", fr.at["times"], fr.at["rows"])
	for r := w.rows; r > 1; r-- {
		w.p("CMPQ AX, $%d\nJEQ rows%d", r, r)
	}
	for r := 1; r <= w.rows; r++ {
		w.productsOf(r, vecs, fr)
	}
}

func (w *winogradGen) productsOf(rows, vecs int, fr *frame) {
	acc := rows * vecs
	w.p("\nrows%d:\nMOVQ SI, R12\nMOVQ %s, DI\nMOVQ %s, CX\nCMPB %s, $0\nJNE more%d", rows, fr.at["u"], fr.at["blocks"], fr.at["more"], rows)
	for i := range acc {
		if w.regs == 32 {
			w.op("VPXORD", i, i, i)
		} else {
			w.op("VXORPS", i, i, i)
		}
	}
	w.p("JMP block%d\nmore%d:", rows, rows)
	w.sums(rows, vecs, "VMOVUPS %[1]s, %[2]s")
	w.p("block%d:\nMOVQ $4, BX\nPCALIGN $64\nquarter%d:", rows, rows)
	w.ahead(rows, 4*vecs*w.bytes/64)
	spare := w.regs - acc - vecs
	for u := range 4 {
		for at := 0; at < vecs*w.bytes; at += 64 {
			w.p("PREFETCHT0 %d(DI)", near+u*vecs*w.bytes+at)
		}
		for v := range vecs {
			w.p("VMOVUPS %d(DI), %s", (u*vecs+v)*w.bytes, w.v(acc+v))
		}
		for i := range rows {
			x := acc + vecs + i%spare
			w.p("VBROADCASTSS %d(SI), %s", i*64+u*4, w.v(x))
			for v := range vecs {
				w.op("VFMADD231PS", acc+v, x, i*vecs+v)
			}
		}
	}
	w.p("ADDQ $16, SI\nADDQ $%d, DI\nDECQ BX\nJNZ quarter%d\nADDQ R8, SI\nDECQ CX\nJNZ block%d", 4*vecs*w.bytes, rows, rows)
	w.sums(rows, vecs, "VMOVUPS %[2]s, %[1]s")
	w.p("LEAQ %d(R12), SI\nADDQ $%d, DX\nDECQ R13\nJNZ rows%d", rows*64, rows*64, rows)
	w.p("VZEROUPPER\nRET")
}

// sums prints a move for each vector of a tile of m.
func (w *winogradGen) sums(rows, vecs int, move string) {
	w.p("MOVQ DX, AX")
	for v := range vecs {
		at := v * w.bytes % 64
		if v > 0 && at == 0 {
			w.p("ADDQ R9, AX")
		}
		for i := range rows {
			w.p(move, fmt.Sprintf("%d(AX)", i*64+at), w.v(i*vecs+v))
		}
	}
}

// ahead prints what fetches as many lines as R11 moves R10, 1, 2, 4 or 8, of
// the weights of the next product to the second cache.
func (w *winogradGen) ahead(rows, most int) {
	for i := range most {
		if i&(i-1) == 0 && i > 0 {
			w.p("CMPQ R11, $%d\nJLE fetched%d", i*64, rows)
		}
		w.p("PREFETCHT1 %d(R10)", i*64)
	}
	w.p("fetched%d:\nADDQ R11, R10", rows)
}

// blockedWinograd writes the pair of package blocked.
func blockedWinograd() error {
	f := newFile("blocked")
	f.winogradConstants()
	f.winograd(avx512, 1, 2)
	f.winograd(avx2, 2)
	return f.write(filepath.Join("..", "blocked"), "winograd")
}
