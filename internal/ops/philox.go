package ops

// stream is the random numbers of one node in one step: element i is a function of the key and of i alone, so that neither
// threads nor the order of computation change it (Philox 4x32, 10 rounds: Salmon et al., "Parallel random numbers: as easy
// as 1, 2, 3", 2011).
type stream struct {
	key     [2]uint32
	counter uint64 // the step
}

// newStream is the stream of a node in a step; extra tells streams of one node apart (a seed attribute, a second use).
func newStream(seed, node, step, extra uint64) stream {
	k := scramble(seed ^ scramble(node+0x9E3779B97F4A7C15) ^ scramble(extra+0xD1B54A32D192ED03))
	return stream{key: [2]uint32{uint32(k), uint32(k >> 32)}, counter: step}
}

// scramble mixes the bits of z (the finalizer of SplitMix64).
func scramble(z uint64) uint64 {
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

// block is the i-th block of 128 random bits.
func (s *stream) block(i uint64) (a, b uint64) {
	x := [4]uint32{uint32(i), uint32(i >> 32), uint32(s.counter), uint32(s.counter >> 32)}
	k0, k1 := s.key[0], s.key[1]
	for range 10 {
		p, q := uint64(x[0])*0xD2511F53, uint64(x[2])*0xCD9E8D57
		x = [4]uint32{uint32(q>>32) ^ x[1] ^ k0, uint32(q), uint32(p>>32) ^ x[3] ^ k1, uint32(p)}
		k0, k1 = k0+0x9E3779B9, k1+0xBB67AE85
	}
	return uint64(x[1])<<32 | uint64(x[0]), uint64(x[3])<<32 | uint64(x[2])
}

// uniform is element i: a number in [0, 1) with 53 random bits.
func (s *stream) uniform(i int) float64 {
	a, b := s.block(uint64(i) / 2)
	if i%2 == 1 {
		a = b
	}
	return float64(a>>11) * 0x1p-53
}

// twister is the generator that numpy's older interface uses (MT19937: Matsumoto and Nishimura, 1998), for operators whose
// documented results come from it.
type twister struct {
	state [624]uint32
	at    int
}

// newTwister seeds the generator as its authors did.
func newTwister(seed uint32) *twister {
	t := &twister{at: 624}
	t.state[0] = seed
	for i := 1; i < len(t.state); i++ {
		p := t.state[i-1]
		t.state[i] = 1812433253*(p^p>>30) + uint32(i)
	}
	return t
}

func (t *twister) next() uint32 {
	if t.at == len(t.state) {
		for i := range t.state {
			y := t.state[i]&0x80000000 | t.state[(i+1)%624]&0x7fffffff
			t.state[i] = t.state[(i+397)%624] ^ y>>1 ^ 0x9908b0df&-(y&1)
		}
		t.at = 0
	}
	y := t.state[t.at]
	t.at++
	y ^= y >> 11
	y ^= y << 7 & 0x9d2c5680
	y ^= y << 15 & 0xefc60000
	return y ^ y>>18
}

// uniform is the next number in [0, 1) with 53 random bits, of two draws.
func (t *twister) uniform() float64 {
	a, b := t.next()>>5, t.next()>>6
	return float64(uint64(a)<<26|uint64(b)) * 0x1p-53
}
