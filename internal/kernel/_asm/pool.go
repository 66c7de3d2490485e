package main

// maxHalves prints the maximum over windows of 2x2 beside each other, for
// float32, in blocks of eight windows.
//
// Registers: CX windows left, SI and DI the two rows, DX results, R8 indices
// or 0; Y15 to Y12 the places of the four elements of the eight windows
// relative to the block, Y11 the place of the block, Y10 its growth.
func (f *file) maxHalves() {
	const fn = "f32MaxHalvesAVX2"
	fr := newFrame()
	fr.word("n")
	fr.slice("upper", "float32")
	fr.slice("lower", "float32")
	fr.slice("y", "float32")
	fr.slice("indices", "int64")
	fr.word("first")
	fr.word("width")
	f.d("// %s reduces n windows of two rows; indices may be nil:\n//", fn)
	f.d("//\tfor i := range n {")
	f.d("//\t\tv := [4]float32{upper[2*i], upper[2*i+1], lower[2*i], lower[2*i+1]}")
	f.d("//\t\tat := firstOfTheGreatest(v) // NaN is greater than all")
	f.d("//\t\ty[i], indices[i] = v[at], int64(first+2*i+at%%2+at/2*width)\n//\t}\n//")
	f.d("//go:noescape\nfunc %s(%s)", fn, fr.list)
	for i, name := range []string{"twice", "count"} {
		for j := range 16 {
			f.p("DATA %s<>+%d(SB)/4, $%d", name, 4*j, (2-i)*j)
		}
		f.p("GLOBL %s<>(SB), RODATA|NOPTR, $64", name)
	}
	f.p("\n// func %s(%s)", fn, fr.list)
	f.p("TEXT ·%s(SB), NOSPLIT, $0-%d", fn, fr.size)
	f.p("MOVQ %s, CX\nMOVQ %s, SI\nMOVQ %s, DI\nMOVQ %s, DX\nMOVQ %s, R8", fr.at["n"], fr.at["upper"], fr.at["lower"], fr.at["y"], fr.at["indices"])
	f.p("VMOVDQU twice<>(SB), Y15\nVPCMPEQD Y0, Y0, Y0\nVPSUBD Y0, Y15, Y14")
	f.p("VPBROADCASTD %s, Y1\nVPADDD Y1, Y15, Y13\nVPADDD Y1, Y14, Y12", fr.at["width"])
	f.p("VPBROADCASTQ %s, Y11\nMOVQ $16, BX\nVMOVQ BX, X10\nVPBROADCASTQ X10, Y10", fr.at["first"])
	f.p("SUBQ $8, CX\nJLT rest\n\nloop:")
	f.maxBlock(false)
	f.p("VPADDQ Y10, Y11, Y11\nADDQ $64, SI\nADDQ $64, DI\nADDQ $32, DX\nSUBQ $8, CX\nJGE loop")
	f.p("\nrest:\nADDQ $8, CX\nJZ done")
	f.p("VMOVQ CX, X9\nVPBROADCASTD X9, Y9\nVPCMPGTD count<>(SB), Y9, Y8") // the windows left
	f.p("VPADDD Y9, Y9, Y9\nVPCMPGTD count<>(SB), Y9, Y10\nVPCMPGTD count<>+32(SB), Y9, Y9")
	f.maxBlock(true)
	f.p("\ndone:\nVZEROUPPER\nRET")
}

// maxBlock prints eight windows; if masked, only those in the mask Y8, whose
// inputs are in the masks Y10 and Y9.
func (f *file) maxBlock(masked bool) {
	end := "full"
	for i, at := range []string{"(SI)", "32(SI)", "(DI)", "32(DI)"} {
		if masked {
			f.p("VMASKMOVPS %s, Y%d, Y%d", at, 10-i%2, i)
		} else {
			f.p("VMOVUPS %s, Y%d", at, i)
		}
	}
	for row := range 2 {
		u, to := 2*row, 4+2*row
		f.p("VSHUFPS $0x88, Y%d, Y%d, Y%d\nVSHUFPS $0xDD, Y%d, Y%d, Y%d", u+1, u, to, u+1, u, to+1)
		f.p("VPERMPD $0xD8, Y%d, Y%d\nVPERMPD $0xD8, Y%d, Y%d", to, to, to+1, to+1)
	}
	f.p("VMOVDQA Y15, Y3")
	for i := range 3 {
		// Greater or unordered, unless the best is a NaN already.
		f.p("VCMPPS $6, Y4, Y%d, Y0\nVCMPPS $7, Y4, Y4, Y1\nVANDPS Y1, Y0, Y0", 5+i)
		f.p("VBLENDVPS Y0, Y%d, Y4, Y4\nVBLENDVPS Y0, Y%d, Y3, Y3", 5+i, 14-i)
	}
	if masked {
		end = "part"
		f.p("VMASKMOVPS Y4, Y8, (DX)")
	} else {
		f.p("VMOVUPS Y4, (DX)")
	}
	f.p("TESTQ R8, R8\nJZ %s", end)
	f.p("VEXTRACTI128 $1, Y3, X2\nVPMOVSXDQ X3, Y3\nVPMOVSXDQ X2, Y2\nVPADDQ Y11, Y3, Y3\nVPADDQ Y11, Y2, Y2")
	if masked {
		f.p("VEXTRACTI128 $1, Y8, X1\nVPMOVSXDQ X8, Y0\nVPMOVSXDQ X1, Y1")
		f.p("VPMASKMOVQ Y3, Y0, (R8)\nVPMASKMOVQ Y2, Y1, 32(R8)")
	} else {
		f.p("VMOVDQU Y3, (R8)\nVMOVDQU Y2, 32(R8)\nADDQ $64, R8")
	}
	f.p("%s:", end)
}
