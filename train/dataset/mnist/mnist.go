package mnist

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"io"
)

//go:embed train-images-idx3-ubyte.gz
var trainImages []byte

//go:embed train-labels-idx1-ubyte.gz
var trainLabels []byte

//go:embed t10k-images-idx3-ubyte.gz
var testImages []byte

//go:embed t10k-labels-idx1-ubyte.gz
var testLabels []byte

// TrainImages reads the 60,000 training images: idx, unsigned bytes [60000, 28, 28], 0 is background.
func TrainImages() (io.Reader, error) {
	return open("training images", trainImages, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609")
}

// TrainLabels reads the classes of the training images: idx, unsigned bytes [60000].
func TrainLabels() (io.Reader, error) {
	return open("training labels", trainLabels, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c")
}

// TestImages reads the 10,000 test images: idx, unsigned bytes [10000, 28, 28].
func TestImages() (io.Reader, error) {
	return open("test images", testImages, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6")
}

// TestLabels reads the classes of the test images: idx, unsigned bytes [10000].
func TestLabels() (io.Reader, error) {
	return open("test labels", testLabels, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6")
}

// open checks the SHA-256 of an embedded file and uncompresses it.
func open(what string, file []byte, sum string) (io.Reader, error) {
	if got := sha256.Sum256(file); hex.EncodeToString(got[:]) != sum {
		return nil, fmt.Errorf("mnist: %s: expected SHA-256 %s, received %x", what, sum, got)
	}
	r, err := gzip.NewReader(bytes.NewReader(file))
	if err != nil {
		return nil, fmt.Errorf("mnist: %s: %w", what, err)
	}
	return r, nil
}
