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

// halvesGrad prints the gradient of maxHalves: two rows of windows of 2x2, in
// blocks of eight windows, and whether an index is not one of its window.
//
// Registers: CX windows left, SI and DI the two rows, DX dy, R8 indices; Y15
// and Y14 the first places of the eight windows, Y13 their growth or the
// windows left; Y12 to Y10 the places in a window, Y9 zero, Y8 what is wrong.
func (f *file) halvesGrad() {
	const fn = "f32HalvesGradAVX2"
	fr := newFrame()
	fr.word("n")
	fr.slice("upper", "float32")
	fr.slice("lower", "float32")
	fr.slice("dy", "float32")
	fr.slice("indices", "int64")
	fr.word("first")
	fr.word("width")
	f.d("\n// %s hands dy to the element of its window, and zero to the others:\n//", fn)
	f.d("//\tfor i := range n {")
	f.d("//\t\tswitch indices[i] - int64(first+2*i) {")
	f.d("//\t\tcase 0, 1:\n//\t\t\tupper[...] = dy[i]\n//\t\tcase width, width+1:\n//\t\t\tlower[...] = dy[i]")
	f.d("//\t\tdefault:\n//\t\t\twrong = 1\n//\t\t}\n//\t}\n//")
	f.d("//go:noescape\nfunc %s(%s) (wrong int)", fn, fr.list)
	f.p("\n// func %s(%s) (wrong int)", fn, fr.list)
	f.p("TEXT ·%s(SB), NOSPLIT, $0-%d", fn, fr.size+8)
	f.p("MOVQ %s, CX\nMOVQ %s, SI\nMOVQ %s, DI\nMOVQ %s, DX\nMOVQ %s, R8", fr.at["n"], fr.at["upper"], fr.at["lower"], fr.at["dy"], fr.at["indices"])
	f.p("VPMOVSXDQ twice<>(SB), Y15\nVPMOVSXDQ twice<>+16(SB), Y14\nVPBROADCASTQ %s, Y0\nVPADDQ Y0, Y15, Y15\nVPADDQ Y0, Y14, Y14", fr.at["first"])
	f.p("MOVQ $16, BX\nVMOVQ BX, X13\nVPBROADCASTQ X13, Y13\nVPXOR Y9, Y9, Y9\nVPXOR Y8, Y8, Y8")
	f.p("VPCMPEQD Y0, Y0, Y0\nVPSUBD Y0, Y9, Y12\nVPBROADCASTD %s, Y11\nVPADDD Y12, Y11, Y10", fr.at["width"])
	f.p("SUBQ $8, CX\nJLT rest\n\nloop:")
	f.gradBlock(false)
	f.p("VPADDQ Y13, Y15, Y15\nVPADDQ Y13, Y14, Y14\nADDQ $64, SI\nADDQ $64, DI\nADDQ $32, DX\nADDQ $64, R8\nSUBQ $8, CX\nJGE loop")
	f.p("\nrest:\nADDQ $8, CX\nJZ done\nVMOVQ CX, X13\nVPBROADCASTD X13, Y13\nVPCMPGTD count<>(SB), Y13, Y13")
	f.gradBlock(true)
	f.p("\ndone:\nXORL AX, AX\nVPTEST Y8, Y8\nJZ right\nINCQ AX\n\nright:\nMOVQ AX, wrong+%d(FP)\nVZEROUPPER\nRET", fr.size)
}

// gradBlock prints eight windows; if masked, only those in the mask Y13.
func (f *file) gradBlock(masked bool) {
	if masked {
		f.p("VEXTRACTI128 $1, Y13, X3\nVPMOVSXDQ X13, Y2\nVPMOVSXDQ X3, Y3\nVPMASKMOVQ (R8), Y2, Y0\nVPMASKMOVQ 32(R8), Y3, Y1")
	} else {
		f.p("VMOVDQU (R8), Y0\nVMOVDQU 32(R8), Y1")
	}
	f.p("VPSUBQ Y15, Y0, Y0\nVPSUBQ Y14, Y1, Y1")
	f.p("VSHUFPS $0xDD, Y1, Y0, Y2\nVSHUFPS $0x88, Y1, Y0, Y3\nVPERMPD $0xD8, Y2, Y2\nVPERMPD $0xD8, Y3, Y3")
	for i, place := range []int{9, 12, 11, 10} {
		f.p("VPCMPEQD Y%d, Y3, Y%d", place, 4+i)
	}
	f.p("VPOR Y5, Y4, Y1\nVPOR Y6, Y1, Y1\nVPOR Y7, Y1, Y1\nVPCMPEQD Y9, Y1, Y1\nVPOR Y2, Y1, Y1")
	if masked {
		f.p("VPAND Y13, Y1, Y1\nVMASKMOVPS (DX), Y13, Y0")
		f.p("VMOVQ CX, X2\nVPBROADCASTD X2, Y2\nVPADDD Y2, Y2, Y2\nVPCMPGTD count<>(SB), Y2, Y15\nVPCMPGTD count<>+32(SB), Y2, Y14")
	} else {
		f.p("VMOVUPS (DX), Y0")
	}
	f.p("VPOR Y1, Y8, Y8\nVADDPS Y9, Y0, Y0") // -0 becomes 0, as in a sum
	for i := range 4 {
		f.p("VANDPS Y0, Y%d, Y%d", 4+i, 4+i)
	}
	for i, row := range []string{"SI", "DI"} {
		u := 4 + 2*i
		f.p("VUNPCKLPS Y%d, Y%d, Y1\nVUNPCKHPS Y%d, Y%d, Y2", u+1, u, u+1, u)
		f.p("VPERM2F128 $0x20, Y2, Y1, Y3\nVPERM2F128 $0x31, Y2, Y1, Y1")
		if masked {
			f.p("VMASKMOVPS Y3, Y15, (%s)\nVMASKMOVPS Y1, Y14, 32(%s)", row, row)
		} else {
			f.p("VMOVUPS Y3, (%s)\nVMOVUPS Y1, 32(%s)", row, row)
		}
	}
}
