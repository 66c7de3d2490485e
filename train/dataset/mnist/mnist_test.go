package mnist

import (
	"fmt"
	"io"
	"testing"
)

func TestFiles(t *testing.T) {
	for _, c := range []struct {
		name string
		open func() (io.Reader, error)
		size int
	}{
		{"train images", TrainImages, 16 + 60000*28*28},
		{"train labels", TrainLabels, 8 + 60000},
		{"test images", TestImages, 16 + 10000*28*28},
		{"test labels", TestLabels, 8 + 10000},
	} {
		r, err := c.open()
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		data, err := io.ReadAll(r)
		if err != nil || len(data) != c.size {
			t.Fatalf("%s: got %d bytes (%v), want %d", c.name, len(data), err, c.size)
		}
	}
}

func TestOpen_damaged(t *testing.T) {
	damaged := append([]byte(nil), testLabels...)
	damaged[100] ^= 1
	if _, err := open("test labels", damaged, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"); err == nil {
		t.Fatal("a damaged file was accepted")
	}
}

func ExampleTestLabels() {
	r, err := TestLabels()
	if err != nil {
		panic(err)
	}
	head := make([]byte, 8+5)
	if _, err := io.ReadFull(r, head); err != nil {
		panic(err)
	}
	fmt.Println(head[8:])
	// Output: [7 2 1 0 4]
}
