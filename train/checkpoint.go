package train

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/gneiss-ml/gneiss/internal/arrayfile"
	"github.com/gneiss-ml/gneiss/internal/atomicfile"
	"github.com/gneiss-ml/gneiss/internal/cpu"
	"github.com/gneiss-ml/gneiss/onnx"
)

// checkpointFormat is the version of the format that is written.
const checkpointFormat = 1

// stateFile is the file of a checkpoint that refers to the tensors; it is written last.
const stateFile = "state.json"

// state is what a checkpoint says beside the tensors.
type state struct {
	Format     int    `json:"format"`
	Config     string `json:"config"`      // every number resolved
	ConfigHash string `json:"config_hash"` // SHA-256 of Config
	Updates    int64  `json:"updates"`
	Micro      int    `json:"micro_step"`
	Epoch      int    `json:"epoch"` // epochs finished
	Batch      int    `json:"batch"` // batches of the epoch at hand finished
	Seed       uint64 `json:"seed"`
	Tier       string `json:"cpu_tier"`
	Tensors    string `json:"tensors"` // name of the file beside this one
	SHA256     string `json:"tensors_sha256"`
}

// describe is the configuration that a training must go on with.
func (c *compiled) describe() string {
	return fmt.Sprintf("optimizer=%s loss=%T%+v convention=%v seed=%d accumulate=%d batchnorm=%d dropout=%v",
		c.cfg.Optimizer.Describe(c.cfg.Convention), c.cfg.Loss, c.cfg.Loss, c.cfg.Convention, c.cfg.Seed, c.cfg.Accumulate, c.cfg.BatchNorm, c.cfg.Dropout)
}

func sum(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

// SaveCheckpoint writes parameters, running statistics, optimizer state and the position of the training into the folder
// dir, which is made if it is not there: first the tensors, under a name made from their content, then state.json, which
// names them. A checkpoint that was there before stays whole until then. A training that goes on from it computes the same
// bits as one that never stopped.
func (m *Model) SaveCheckpoint(dir string) error {
	c, err := m.ready()
	if err != nil {
		return err
	}
	if err := c.save(dir); err != nil {
		return fmt.Errorf("train: checkpoint %.128q: %w", dir, err)
	}
	return nil
}

func (c *compiled) save(dir string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	tensors, s, err := c.snapshot()
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := arrayfile.WriteSafetensors(&b, tensors, map[string]string{"framework": "gneiss"}); err != nil {
		return err
	}
	s.SHA256 = sum(b.Bytes())
	s.Tensors = "model." + s.SHA256[:16] + ".safetensors"
	if err := atomicfile.Write(filepath.Join(dir, s.Tensors), func(w io.Writer) error {
		_, err := w.Write(b.Bytes())
		return err
	}); err != nil {
		return err
	}
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	path := filepath.Join(dir, stateFile)
	if err := atomicfile.Write(path, func(w io.Writer) error {
		_, err := w.Write(append(text, '\n'))
		return err
	}); err != nil {
		return err
	}
	return tidy(dir, s.Tensors)
}

// snapshot copies the variables and the position as one finished step left them.
func (c *compiled) snapshot() (map[string]*onnx.Tensor, state, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	names := c.vars.Names()
	ts, err := c.vars.ReadAll(names)
	if err != nil {
		return nil, state{}, err
	}
	tensors := map[string]*onnx.Tensor{}
	for i, n := range names {
		tensors[n] = ts[i]
	}
	config := c.describe()
	return tensors, state{
		Format: checkpointFormat, Config: config, ConfigHash: sum([]byte(config)), Updates: c.updates, Micro: c.micro,
		Epoch: c.epoch, Batch: c.batch, Seed: c.cfg.Seed, Tier: cpu.Tier().String(),
	}, nil
}

// tidy removes tensors of earlier checkpoints and temporaries of interrupted saves.
func tidy(dir, keep string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		n := e.Name()
		old := strings.HasPrefix(n, "model.") && strings.HasSuffix(n, ".safetensors") && n != keep
		left := strings.HasPrefix(n, ".model.") && strings.HasSuffix(n, ".tmp") || strings.HasPrefix(n, "."+stateFile+".")
		if old || left {
			if err := os.Remove(filepath.Join(dir, n)); err != nil {
				return err
			}
		}
	}
	return nil
}

// LoadCheckpoint puts a compiled model where SaveCheckpoint left it. The configuration must be the one of the checkpoint but
// for the number of threads and the engine; sums and sizes are checked before anything is changed.
func (m *Model) LoadCheckpoint(dir string) error {
	c, err := m.ready()
	if err != nil {
		return err
	}
	if err := c.load(dir); err != nil {
		return fmt.Errorf("train: checkpoint %.128q: %w", dir, err)
	}
	return nil
}

func (c *compiled) load(dir string) error {
	s, tensors, err := readCheckpoint(dir)
	if err != nil {
		return err
	}
	if want := c.describe(); sum([]byte(want)) != s.ConfigHash {
		return onnx.Invalidf("expected the configuration %q, received %q", want, s.Config)
	}
	names := c.vars.Names()
	ts := make([]*onnx.Tensor, len(names))
	for i, n := range names {
		if ts[i] = tensors[n]; ts[i] == nil {
			return onnx.Invalidf("tensor %.128q is missing", n)
		}
	}
	if len(names) != len(tensors) {
		return onnx.Invalidf("expected %d tensors, received %d", len(names), len(tensors))
	}
	if s.Updates < 0 || s.Epoch < 0 || s.Batch < 0 || s.Micro < 0 || s.Micro >= c.cfg.Accumulate {
		return onnx.Invalidf("the position is impossible: %d updates, epoch %d, batch %d, micro-step %d", s.Updates, s.Epoch, s.Batch, s.Micro)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.vars.WriteAll(names, ts); err != nil {
		return err
	}
	c.updates, c.micro, c.epoch, c.batch = s.Updates, s.Micro, s.Epoch, s.Batch
	return nil
}

// maxState is the most bytes of state.json.
const maxState = 1 << 20

func readCheckpoint(dir string) (state, map[string]*onnx.Tensor, error) {
	var s state
	root, err := os.OpenRoot(dir)
	if err != nil {
		return s, nil, err
	}
	defer root.Close()
	text, err := readIn(root, stateFile, maxState)
	if err != nil {
		return s, nil, err
	}
	if err := json.Unmarshal(text, &s); err != nil {
		return s, nil, onnx.Invalidf("%s: %w", stateFile, err)
	}
	if s.Format != checkpointFormat {
		return s, nil, onnx.Unsupportedf("%s: expected format %d, received %d", stateFile, checkpointFormat, s.Format)
	}
	b, err := readIn(root, s.Tensors, -1)
	if err != nil {
		return s, nil, err
	}
	if got := sum(b); got != s.SHA256 {
		return s, nil, onnx.Invalidf("%.128q: expected SHA-256 %.64s, received %s", s.Tensors, s.SHA256, got)
	}
	tensors, _, err := arrayfile.ReadSafetensors(b)
	return s, tensors, err
}

// readIn reads a file inside root, of at most most bytes; negative is no limit.
func readIn(root *os.Root, name string, most int64) ([]byte, error) {
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if most < 0 {
		return io.ReadAll(f)
	}
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(b)) > most {
		return nil, &onnx.LimitError{Limit: name, Value: most, Asked: int64(len(b)), Unit: "bytes"}
	}
	return b, err
}
