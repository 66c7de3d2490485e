package main

// weights prints the transform of weights, in float64 without fused operations, as plain Go computes it, so that the results
// are the nearest float32 but for what float64 loses.
//
// Registers: CX channels, SI w, DX u; AX from place to place, R8 points, R9 g; DI vectors left of 16 lanes; BX rows left,
// R10 their part of g; R11 columns left, R12 their part of g; R13 the place. Of vectors: 0 to 8 are weights, 9 to 11 a row.
func (w *winogradGen) weights() {
	fr := newFrame()
	fr.word("n")
	fr.word("points")
	fr.slice("g", "[3]float64")
	fr.slice("w", "float32")
	fr.slice("u", "float32")
	fr.word("uStep")
	fr.word("next")
	fn := "f32WinogradWeights" + w.name
	w.d("// %s transforms the kernels of 16 output channels for n input channels:\n//", fn)
	w.d("//\tfor c := range n {\n//\t\tfor l := range 16 {\n//\t\t\tk := w[144*c+l:] // a kernel, 16 from element to element")
	w.d("//\t\t\tfor i := range points * points {\n//\t\t\t\tu[i*uStep+c*next+l] = (G k Gt)[i]\n//\t\t\t}\n//\t\t}\n//\t}")
	w.entry(fn, fr)
	w.p("MOVQ %s, CX\nMOVQ %s, SI\nMOVQ %s, DX\nMOVQ %s, AX\nSHLQ $2, AX", fr.at["n"], fr.at["w"], fr.at["u"], fr.at["uStep"])
	w.p("MOVQ %s, R8\nMOVQ %s, R9", fr.at["points"], fr.at["g"])
	half := w.bytes / 2 // bytes of a vector in float32
	w.p("\nchannel:\nMOVQ $%d, DI\n\nlanes:", 64/half)
	for i := range 9 {
		w.p("VCVTPS2PD %d(SI), %s", i*64, w.v(i))
	}
	w.p("MOVQ R8, BX\nMOVQ R9, R10\nMOVQ DX, R13\n\nrow:")
	for i := range 3 {
		w.p("VBROADCASTSD %d(R10), %s", i*8, w.v(12))
		for j := range 3 {
			if i == 0 {
				w.op("VMULPD", 12, j, 9+j)
				continue
			}
			w.op("VMULPD", 12, 3*i+j, 13)
			w.op("VADDPD", 13, 9+j, 9+j)
		}
	}
	w.p("ADDQ $24, R10\nMOVQ R8, R11\nMOVQ R9, R12\n\ncolumn:")
	for i := range 3 {
		w.p("VBROADCASTSD %d(R12), %s", i*8, w.v(12))
		if i == 0 {
			w.op("VMULPD", 12, 9, 13)
			continue
		}
		w.op("VMULPD", 12, 9+i, 14)
		w.op("VADDPD", 14, 13, 13)
	}
	if w.bytes == 64 {
		w.p("VCVTPD2PS Z13, Y13\nVMOVUPS Y13, (R13)")
	} else {
		w.p("VCVTPD2PSY Y13, X13\nVMOVUPS X13, (R13)")
	}
	w.p("ADDQ AX, R13\nADDQ $24, R12\nDECQ R11\nJNZ column\nDECQ BX\nJNZ row")
	w.p("ADDQ $%d, SI\nADDQ $%d, DX\nDECQ DI\nJNZ lanes", half, half)
	w.p("ADDQ $%d, SI\nMOVQ %s, BX\nLEAQ -64(DX)(BX*4), DX\nDECQ CX\nJNZ channel\nVZEROUPPER\nRET", 8*64, fr.at["next"])
}
