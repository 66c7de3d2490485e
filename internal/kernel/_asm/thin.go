package main

import "fmt"

// thin prints the product of one row with four packed panels of B, which is
// bound by the reading of B.
//
// Registers: SI a; DI b, R9 and R13 the distance of its panels and three of
// it; CX steps left; DX c; BX bias or add.
func (f *file) thin(set isa, e elem) {
	lanes := set.bytes / e.size
	set.mask = false
	fr := newFrame()
	fr.word("k")
	fr.slice("a", e.goType)
	fr.slice("b", e.goType)
	fr.word("panel")
	fr.slice("c", e.goType)
	fr.slice("add", e.goType)
	fr.add("start", "Start", 8, "")
	fr.slice("bias", e.goType)
	fr.flag("relu")
	g := rowsGen{&tileGen{file: f, isa: set, e: e, frame: fr, vecs: 8}}
	g.fn = fmt.Sprintf("%sThin1x%d%s", e.name, 8*lanes, set.name)
	g.d("// %s computes %d elements from four panels of %d columns:\n//", g.fn, 8*lanes, 2*lanes)
	g.d("//\tfor j := range %d {\n//\t\tsum := first(start, c[j], bias, 0, j)", 8*lanes)
	g.d("//\t\tfor p := range k {")
	g.d("//\t\t\tsum = fma(a[p], b[j/%d*panel+p*%d+j%%%d], sum)\n//\t\t}", 2*lanes, 2*lanes, 2*lanes)
	g.d("//\t\tif add != nil {\n//\t\t\tsum += add[j]\n//\t\t}")
	g.d("//\t\tc[j] = last(relu, sum)\n//\t}\n//")
	g.d("//go:noescape\nfunc %s(%s)\n", g.fn, g.list)
	g.p("// func %s(%s)", g.fn, g.list)
	g.p("TEXT ·%s(SB), NOSPLIT, $0-%d", g.fn, g.size)
	g.thinStart()
	g.p("go:\nMOVQ %s, SI\nMOVQ %s, DI\nMOVQ %s, R9\nSHLQ $%d, R9\nLEAQ (R9)(R9*2), R13", g.at["a"], g.at["b"], g.at["panel"], g.shift())
	g.p("MOVQ %s, CX\nSHRQ $2, CX\nJZ odd\nPCALIGN $64\nloop:", g.at["k"])
	for u := range 4 {
		g.thinStep(u)
	}
	g.p("ADDQ $%d, SI\nADDQ $%d, DI\nDECQ CX\nJNZ loop", 4*e.size, 8*set.bytes)
	g.p("odd:\nMOVQ %s, CX\nANDQ $3, CX\nJZ done\nsingle:", g.at["k"])
	g.thinStep(0)
	g.p("ADDQ $%d, SI\nADDQ $%d, DI\nDECQ CX\nJNZ single\ndone:", e.size, 2*set.bytes)
	g.p("MOVQ %s, BX\nTESTQ BX, BX\nJZ alone", g.at["add"])
	for v := range g.vecs {
		g.p("VADD%s %d(BX), %s, %s", g.e.packed, v*g.bytes, g.v(v), g.v(v))
	}
	g.p("alone:\nMOVQ %s, DX", g.at["c"])
	g.last(1, func(s string) string { return s })
	g.store(1, func(s string) string { return s })
}

func (g rowsGen) thinStart() {
	each := func(do func(v int)) {
		for v := range g.vecs {
			do(v)
		}
	}
	g.p("MOVQ %s, AX\nCMPQ AX, $0\nJNE some", g.at["start"])
	each(g.zero)
	g.p("JMP go\nsome:\nMOVQ %s, BX\nCMPQ AX, $2\nJEQ byrow\nCMPQ AX, $3\nJEQ bycol\nMOVQ %s, DX", g.at["bias"], g.at["c"])
	each(func(v int) { g.load("DX", v, v) })
	g.p("JMP go\nbyrow:")
	each(func(v int) { g.p("VBROADCAST%s (BX), %s", g.e.scalar, g.v(v)) })
	g.p("JMP go\nbycol:")
	each(func(v int) { g.load("BX", v, v) })
}

// thinStep prints one k, the u-th of four.
func (g rowsGen) thinStep(u int) {
	x := g.v(g.vecs + u)
	g.p("VBROADCAST%s %d(SI), %s", g.e.scalar, u*g.e.size, x)
	for v := range g.vecs {
		at := times("DI", v/2, "R9", "R13")
		g.p("VFMADD231%s %d%s, %s, %s", g.e.packed, (2*u+v%2)*g.bytes, at, x, g.v(v))
	}
}
