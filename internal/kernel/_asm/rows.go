package main

import "fmt"

// A rowsGen prints the tile that reads the rows of A where they are.
//
// Registers: SI, R8, R11 and R12 rows 0, 4, 8 and 12 of a; AX and BX its
// stride and three of it; DI b, R9 and R13 its step and three of it, R10 b
// some steps ahead; R14 the memory to fetch next; CX steps left; DX c.
type rowsGen struct {
	*tileGen
}

// quads are the registers of each fourth row of a.
var quads = [4]string{"SI", "R8", "R11", "R12"}

// ahead is how many steps of b the prefetch is ahead of the arithmetic.
const ahead = 8

// rowsTile prints the GEMM tile of an instruction set that reads A row by row,
// with one body per number of rows.
func (f *file) rowsTile(set isa, e elem) {
	lanes := set.bytes / e.size
	g := rowsGen{&tileGen{file: f, isa: set, e: e, frame: rowsFrame(e), vecs: 2}}
	g.fn = fmt.Sprintf("%sRows%dx%d%s", e.name, set.rows, 2*lanes, set.name)
	g.stub(2*lanes, set.rows)
	g.p("// func %s(%s)", g.fn, g.list)
	g.p("TEXT ·%s(SB), NOSPLIT, $0-%d", g.fn, g.size)
	if set.mask {
		g.masks(lanes)
	}
	g.p("MOVQ %s, AX\nMOVQ %s, DX\nMOVQ %s, R8\nSHLQ $%d, R8", g.at["start"], g.at["c"], g.at["ldc"], g.shift())
	g.p("MOVQ %s, BX", g.at["rows"])
	for r := set.rows; r > 1; r-- {
		g.p("CMPQ BX, $%d\nJEQ rows%d", r, r)
	}
	for r := 1; r <= set.rows; r++ {
		g.body(r)
	}
}

func rowsFrame(e elem) *frame {
	f := newFrame()
	f.word("rows")
	f.word("k")
	f.slice("a", e.goType)
	f.word("lda")
	f.slice("b", e.goType)
	f.word("bStep")
	f.slice("c", e.goType)
	f.word("ldc")
	f.word("cols")
	f.slice("add", e.goType)
	f.word("ldadd")
	f.add("start", "Start", 8, "")
	f.slice("bias", e.goType)
	f.slice("next", e.goType)
	f.flag("relu")
	return f
}

func (g rowsGen) shift() int {
	if g.e.size == 8 {
		return 3
	}
	return 2
}

// stub declares the function; its comment is the loop that it stands for.
func (g rowsGen) stub(cols, rows int) {
	g.d("// %s computes a tile of 1 to %d rows and 1 to %d columns.", g.fn, rows, cols)
	if g.mask {
		g.d("// It reads %d columns of b, and cols columns of the rest, and fetches next:\n//", cols)
	} else {
		g.d("// cols is always %d. It fetches next:\n//", cols)
	}
	g.d("//\tfor i := range rows {\n//\t\tfor j := range cols {")
	g.d("//\t\t\tsum := first(start, c[i*ldc+j], bias, i, j)")
	g.d("//\t\t\tfor p := range k {")
	g.d("//\t\t\t\tsum = fma(a[i*lda+p], b[p*bStep+j], sum)\n//\t\t\t}")
	g.d("//\t\t\tif add != nil {\n//\t\t\t\tsum += add[i*ldadd+j]\n//\t\t\t}")
	g.d("//\t\t\tc[i*ldc+j] = last(relu, sum)\n//\t\t}\n//\t}\n//")
	g.d("//go:noescape\nfunc %s(%s)\n", g.fn, g.list)
}

// body prints init, loop and store for r rows.
func (g rowsGen) body(r int) {
	l := func(s string) string { return fmt.Sprintf("%s%d", s, r) }
	g.p("\n%s:", l("rows"))
	g.first(r, l)
	g.p("%s:", l("go"))
	g.pointers(r)
	g.p("MOVQ %s, CX\nSHRQ $2, CX\nJZ %s\nPCALIGN $64\n%s:", g.at["k"], l("odd"), l("loop"))
	for u := range 4 {
		g.step(r, u)
	}
	for i := range (r + 3) / 4 {
		g.p("ADDQ $%d, %s", 4*g.e.size, quads[i])
	}
	g.p("LEAQ (DI)(R9*4), DI\nLEAQ (R10)(R9*4), R10\nPREFETCHT1 (R14)\nADDQ $64, R14")
	g.p("DECQ CX\nJNZ %s\n%s:", l("loop"), l("odd"))
	g.p("MOVQ %s, CX\nANDQ $3, CX\nJZ %s\n%s:", g.at["k"], l("done"), l("single"))
	g.step(r, 0)
	for i := range (r + 3) / 4 {
		g.p("ADDQ $%d, %s", g.e.size, quads[i])
	}
	g.p("ADDQ R9, DI\nADDQ R9, R10\nDECQ CX\nJNZ %s\n%s:", l("single"), l("done"))
	g.add(r, l)
	g.last(r, l)
	g.p("MOVQ %s, DX\nMOVQ %s, R8\nSHLQ $%d, R8", g.at["c"], g.at["ldc"], g.shift())
	if g.mask {
		g.p("MOVQ %s, R12\nSUBQ $%d, R12\nSARQ $63, R12\nNOTQ R12", g.at["cols"], 2*g.bytes/g.e.size)
	}
	g.store(r, l)
}

// pointers loads what the loop walks with.
func (g rowsGen) pointers(r int) {
	g.p("MOVQ %s, SI\nMOVQ %s, AX\nSHLQ $%d, AX\nLEAQ (AX)(AX*2), BX", g.at["a"], g.at["lda"], g.shift())
	for i := 1; i < (r+3)/4; i++ {
		g.p("LEAQ (%s)(AX*4), %s", quads[i-1], quads[i])
	}
	g.p("MOVQ %s, DI\nMOVQ %s, R9\nSHLQ $%d, R9\nLEAQ (R9)(R9*2), R13\nLEAQ (DI)(R9*%d), R10", g.at["b"], g.at["bStep"], g.shift(), ahead)
	g.p("MOVQ %s, R14", g.at["next"])
}

// times is the place n strides behind a register.
func times(reg string, n int, one, three string) string {
	switch n {
	case 0:
		return fmt.Sprintf("(%s)", reg)
	case 3:
		return fmt.Sprintf("(%s)(%s*1)", reg, three)
	}
	return fmt.Sprintf("(%s)(%s*%d)", reg, one, n)
}

// step prints one k, the u-th of four.
func (g rowsGen) step(r, u int) {
	acc := 2 * r
	for v := range 2 {
		g.p("VMOVU%s %d%s, %s", g.e.packed, v*g.bytes, times("DI", u, "R9", "R13"), g.v(acc+v))
	}
	for v := 0; v < 2*g.bytes; v += 64 {
		g.p("PREFETCHT0 %d%s", v, times("R10", u, "R9", "R13"))
	}
	spare := g.regs - acc - 2
	for i := range r {
		x := g.v(acc + 2 + i%spare)
		g.p("VBROADCAST%s %d%s, %s", g.e.scalar, u*g.e.size, times(quads[i/4], i%4, "AX", "BX"), x)
		for v := range 2 {
			g.p("VFMADD231%s %s, %s, %s", g.e.packed, g.v(acc+v), x, g.v(i*2+v))
		}
	}
}

// first sets the accumulators to what the chains start from.
func (g rowsGen) first(r int, l func(string) string) {
	g.p("CMPQ AX, $0\nJNE %s", l("some"))
	for i := range 2 * r {
		g.zero(i)
	}
	g.p("JMP %s\n%s:", l("go"), l("some"))
	g.p("MOVQ %s, BX\nCMPQ AX, $2\nJEQ %s\nCMPQ AX, $3\nJEQ %s", g.at["bias"], l("byrow"), l("bycol"))
	for i := range r {
		for v := range 2 {
			g.load("DX", v, i*2+v)
		}
		if i < r-1 {
			g.p("ADDQ R8, DX")
		}
	}
	g.p("JMP %s\n%s:", l("go"), l("byrow"))
	for i := range r {
		g.p("VBROADCAST%s %d(BX), %s\nVMOVA%s %s, %s", g.e.scalar, i*g.e.size, g.v(i*2), g.e.packed, g.v(i*2), g.v(i*2+1))
	}
	g.p("JMP %s\n%s:", l("go"), l("bycol"))
	for v := range 2 {
		g.load("BX", v, v)
	}
	for i := 1; i < r; i++ {
		for v := range 2 {
			g.p("VMOVA%s %s, %s", g.e.packed, g.v(v), g.v(i*2+v))
		}
	}
}

// add adds the residual, if there is one.
func (g rowsGen) add(r int, l func(string) string) {
	g.p("MOVQ %s, BX\nTESTQ BX, BX\nJZ %s", g.at["add"], l("alone"))
	g.p("MOVQ %s, R8\nSHLQ $%d, R8", g.at["ldadd"], g.shift())
	spare := g.regs - 2*r
	for i := range r {
		for v := range 2 {
			x := 2*r + (2*i+v)%spare
			g.load("BX", v, x)
			g.p("VADD%s %s, %s, %s", g.e.packed, g.v(x), g.v(2*i+v), g.v(2*i+v))
		}
		if i < r-1 {
			g.p("ADDQ R8, BX")
		}
	}
	g.p("%s:", l("alone"))
}
