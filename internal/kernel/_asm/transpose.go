package main

// transpose prints the transposition of a float32 matrix in blocks of 8x8.
// The last blocks overlap their neighbours, so there is no tail.
//
// Registers: SI and R8 a row of blocks of src and its stride, DI and R11 the
// same of dst; R9 and R12 three strides; AX rows left, CX columns left; R10
// and R13 a block of src and of dst, BX and DX four rows further.
func (f *file) transpose() {
	const fn = "f32TransposeAVX2"
	fr := newFrame()
	fr.slice("dst", "float32")
	fr.word("ldd")
	fr.slice("src", "float32")
	fr.word("lds")
	fr.word("rows")
	fr.word("cols")
	f.d("// %s transposes; rows and cols are at least 8 and dst and src apart:\n//", fn)
	f.d("//\tfor r := range rows {\n//\t\tfor c := range cols {")
	f.d("//\t\t\tdst[c*ldd+r] = src[r*lds+c]\n//\t\t}\n//\t}\n//")
	f.d("//go:noescape\nfunc %s(%s)\n", fn, fr.list)
	f.p("// func %s(%s)", fn, fr.list)
	f.p("TEXT ·%s(SB), NOSPLIT, $0-%d", fn, fr.size)
	f.p("MOVQ %s, DI\nMOVQ %s, R11\nSHLQ $2, R11\nLEAQ (R11)(R11*2), R12", fr.at["dst"], fr.at["ldd"])
	f.p("MOVQ %s, SI\nMOVQ %s, R8\nSHLQ $2, R8\nLEAQ (R8)(R8*2), R9", fr.at["src"], fr.at["lds"])
	f.p("MOVQ %s, AX", fr.at["rows"])
	f.p("\nrow:\nMOVQ %s, CX\nMOVQ SI, R10\nMOVQ DI, R13", fr.at["cols"])
	f.p("\nblock:\nLEAQ (R10)(R8*4), BX\nLEAQ (R13)(R11*4), DX")
	at := func(base, s, s3 string) [4]string {
		return [4]string{"(" + base + ")", "(" + base + ")(" + s + "*1)", "(" + base + ")(" + s + "*2)", "(" + base + ")(" + s3 + "*1)"}
	}
	low, high := at("R10", "R8", "R9"), at("BX", "R8", "R9")
	for half := range 2 {
		for i := range 4 {
			f.p("VMOVUPS %d%s, X%d", half*16, low[i], half*4+i)
			f.p("VINSERTF128 $1, %d%s, Y%d, Y%d", half*16, high[i], half*4+i, half*4+i)
		}
	}
	to := [2][4]string{at("R13", "R11", "R12"), at("DX", "R11", "R12")}
	for half := range 2 {
		y := half * 4
		f.p("VUNPCKLPS Y%d, Y%d, Y8\nVUNPCKHPS Y%d, Y%d, Y9", y+1, y, y+1, y)
		f.p("VUNPCKLPS Y%d, Y%d, Y10\nVUNPCKHPS Y%d, Y%d, Y11", y+3, y+2, y+3, y+2)
		f.p("VUNPCKLPD Y10, Y8, Y12\nVUNPCKHPD Y10, Y8, Y13\nVUNPCKLPD Y11, Y9, Y14\nVUNPCKHPD Y11, Y9, Y15")
		for i := range 4 {
			f.p("VMOVUPS Y%d, %s", 12+i, to[half][i])
		}
	}
	// The next block: 8 columns on, or back to the last 8, or the next row.
	f.p("SUBQ $8, CX\nJZ next\nCMPQ CX, $8\nJGE ahead")
	f.p("MOVQ CX, BX\nSUBQ $8, BX\nLEAQ 32(R10)(BX*4), R10\nIMULQ R11, BX\nLEAQ (R13)(R11*8), R13\nADDQ BX, R13\nMOVQ $8, CX\nJMP block")
	f.p("\nahead:\nADDQ $32, R10\nLEAQ (R13)(R11*8), R13\nJMP block")
	f.p("\nnext:\nSUBQ $8, AX\nJZ done\nCMPQ AX, $8\nJGE below")
	f.p("MOVQ AX, BX\nSUBQ $8, BX\nLEAQ 32(DI)(BX*4), DI\nIMULQ R8, BX\nLEAQ (SI)(R8*8), SI\nADDQ BX, SI\nMOVQ $8, AX\nJMP row")
	f.p("\nbelow:\nADDQ $32, DI\nLEAQ (SI)(R8*8), SI\nJMP row")
	f.p("\ndone:\nVZEROUPPER\nRET")
}
