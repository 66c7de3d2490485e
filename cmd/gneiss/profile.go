package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/gneiss-ml/gneiss/internal/atomicfile"
	"github.com/gneiss-ml/gneiss/internal/cpu"
	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/gneiss-ml/gneiss/onnx/shape"
	"github.com/gneiss-ml/gneiss/runtime"
	"github.com/spf13/cobra"
)

// profileFlags are the flags of profile.
type profileFlags struct {
	common
	threads int
	shape   []string
	trace   string
}

func (a *app) profile() *cobra.Command {
	var f profileFlags
	c := &cobra.Command{
		Use: "profile MODEL", Short: "Show where a model's time goes, node by node, on seeded random inputs", Args: cobra.ExactArgs(1),
		Example: "  gneiss profile model.onnx --threads 1 --shape x=1x3x224x224 --trace trace.json",
		Long: "The model runs for about a second; each node's time is the median of its runs, without that of the nodes in its subgraphs. " +
			"Nodes that were fused show as one. % of peak is of the float32 speed of a large matrix product, measured just before. " +
			"--trace writes the last run for Chrome's trace viewer.",
		RunE: func(c *cobra.Command, args []string) error { return a.profileModel(c.Context(), args[0], f) },
	}
	f.add(c)
	threadsFlag(c, &f.threads)
	c.Flags().StringArrayVar(&f.shape, "shape", nil, "NAME=1x3x224x224")
	c.Flags().StringVar(&f.trace, "trace", "", "file for a Chrome trace")
	return c
}

func (a *app) profileModel(ctx context.Context, path string, f profileFlags) error {
	ctx, cancel := f.context(ctx)
	defer cancel()
	o, err := f.options(a, "", f.threads)
	if err != nil {
		return err
	}
	s, err := openSession(path, o)
	if err != nil {
		return err
	}
	defer s.Close()
	b, err := bindRandom(ctx, s, f.shape)
	if err != nil {
		return err
	}
	defer b.Close()
	peak, err := peakSpeed(ctx, f.threads)
	if err != nil {
		return err
	}
	p := newProfile()
	if err := p.measure(ctx, b, time.Second); err != nil {
		return err
	}
	if f.trace != "" {
		if err := atomicfile.Write(f.trace, func(w io.Writer) error { return writeTrace(w, p.events) }); err != nil {
			return err
		}
	}
	return p.print(a.out, path, peak)
}

// bindRandom ties a session to seeded random inputs and to outputs of its own.
func bindRandom(ctx context.Context, s *runtime.Session, shapes []string) (*runtime.Binding, error) {
	objects, err := feeds(s.Inputs(), nil, shapes, 1)
	if err != nil {
		return nil, err
	}
	in := map[string]*onnx.Tensor{}
	for name, v := range objects {
		in[name], _ = v.(*onnx.Tensor)
	}
	out, err := s.Run(ctx, in)
	if err != nil {
		return nil, err
	}
	return s.Bind(in, out)
}

// peakSpeed is the most floating-point operations a second that a product of two 512x512 matrices of float32, one of them
// constant, reaches in about 0.1 s.
func peakSpeed(ctx context.Context, threads int) (float64, error) {
	const n = 512
	w, err := onnx.Zeros(onnx.Float32, n, n)
	if err != nil {
		return 0, err
	}
	fill(onnx.View[float32](w.Mutable()), func() float32 { return 0.5 })
	g := shape.NewBuilder("peak")
	x := g.Graph.Input("x", onnx.TensorOf(onnx.Float32, onnx.Fixed(n), onnx.Fixed(n)))
	y := g.Op("MatMul", []*onnx.Value{x, g.Const(w)})
	y.Name = "y"
	g.Graph.Outputs = []*onnx.Value{y}
	if err := g.Err(); err != nil {
		return 0, err
	}
	s, err := runtime.New(onnx.NewModel(g.Graph), runtime.Options{Threads: threads})
	if err != nil {
		return 0, err
	}
	defer s.Close()
	b, err := bindRandom(ctx, s, nil)
	if err != nil {
		return 0, err
	}
	defer b.Close()
	best, err := fastest(ctx, b, 100*time.Millisecond)
	return 2 * n * n * n / best.Seconds(), err
}

// fastest runs b for about d and gives the time of its fastest run.
func fastest(ctx context.Context, b *runtime.Binding, d time.Duration) (time.Duration, error) {
	best := time.Duration(1<<63 - 1)
	for end := time.Now().Add(d); time.Now().Before(end); {
		start := time.Now()
		if err := b.Run(ctx); err != nil {
			return 0, err
		}
		best = min(best, max(time.Since(start), 1))
	}
	return best, nil
}

// profile gathers the events of profiled runs.
type profile struct {
	nodes  []*nodeProfile // in the order of their first run
	byKey  map[string]*nodeProfile
	inner  []time.Duration // by depth: time of the nodes that ran since the last node around them
	events []runtime.Event // of the last run
	walls  []time.Duration
}

// nodeProfile is what the runs of one node took.
type nodeProfile struct {
	node, op    string
	depth       int
	run         time.Duration // in the current run
	runs        []time.Duration
	flop, bytes int64 // of the last run
	count       int   // how often it ran in the last run
	late        bool
}

func newProfile() *profile { return &profile{byKey: map[string]*nodeProfile{}} }

// measure runs b for about d, but at least three times, after warming up.
func (p *profile) measure(ctx context.Context, b *runtime.Binding, d time.Duration) error {
	for range 2 {
		if err := b.Run(ctx); err != nil {
			return err
		}
	}
	b.Profile(p.event)
	defer b.Profile(nil)
	for end := time.Now().Add(d); len(p.walls) < 3 || time.Now().Before(end); {
		p.begin()
		start := time.Now()
		if err := b.Run(ctx); err != nil {
			return err
		}
		p.walls = append(p.walls, time.Since(start))
		for _, n := range p.nodes {
			n.runs = append(n.runs, n.run)
		}
	}
	return nil
}

func (p *profile) begin() {
	p.events, p.inner = p.events[:0], p.inner[:0]
	for _, n := range p.nodes {
		n.run, n.flop, n.bytes, n.count = 0, 0, 0, 0
	}
}

// event adds a node that has run. Nodes of subgraphs come before the node that holds them, whose own time is the rest.
func (p *profile) event(e runtime.Event) {
	for len(p.inner) < e.Depth+2 {
		p.inner = append(p.inner, 0)
	}
	own := max(e.Duration-p.inner[e.Depth+1], 0)
	p.inner[e.Depth+1] = 0
	p.inner[e.Depth] += e.Duration
	n := p.node(e)
	n.run += own
	n.flop += e.FLOP
	n.bytes += e.Bytes
	n.count++
	n.late = n.late || e.Late
	p.events = append(p.events, e)
}

func (p *profile) node(e runtime.Event) *nodeProfile {
	key := fmt.Sprintf("%d %q %q", e.Depth, e.OpType, e.Node)
	n := p.byKey[key]
	if n == nil {
		n = &nodeProfile{node: e.Node, op: e.OpType, depth: e.Depth, runs: make([]time.Duration, len(p.walls))}
		p.byKey[key] = n
		p.nodes = append(p.nodes, n)
	}
	return n
}

// row is a line of a table.
type row struct {
	node, op    string
	count       int
	time        time.Duration
	flop, bytes int64
}

func median(d []time.Duration) time.Duration {
	s := slices.Clone(d)
	slices.Sort(s)
	return s[len(s)/2]
}

// rows are the nodes and the operators, the slowest first; equal times keep the order of the graph.
func (p *profile) rows() (nodes, operators []row) {
	byOp := map[string]int{}
	for _, n := range p.nodes {
		r := row{node: strings.Repeat("  ", n.depth) + clipped(n.node), op: clipped(n.op), time: median(n.runs), flop: n.flop, bytes: n.bytes, count: n.count}
		if n.late {
			r.op += " (late)"
		}
		nodes = append(nodes, r)
		i, ok := byOp[n.op]
		if !ok {
			i = len(operators)
			byOp[n.op] = i
			operators = append(operators, row{op: clipped(n.op)})
		}
		o := &operators[i]
		o.time, o.flop, o.bytes, o.count = o.time+r.time, o.flop+r.flop, o.bytes+r.bytes, o.count+r.count
	}
	slowest := func(a, b row) int { return int(min(max(b.time-a.time, -1), 1)) }
	slices.SortStableFunc(nodes, slowest)
	slices.SortStableFunc(operators, slowest)
	return nodes, operators
}

// clipped is a name from a model, of bounded length and without what would break a table.
func clipped(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, s)
	if r := []rune(s); len(r) > 64 {
		return string(r[:31]) + "..." + string(r[len(r)-30:])
	}
	return s
}

func (p *profile) print(out io.Writer, path string, peak float64) error {
	nodes, operators := p.rows()
	var sum time.Duration
	for _, r := range nodes {
		sum += r.time
	}
	fmt.Fprintf(out, "%s: %d runs, median %.3f ms, of which nodes %.3f ms; peak %.1f GFLOP/s, %v\n\n",
		clipped(path), len(p.walls), ms(median(p.walls)), ms(sum), peak/1e9, cpu.Tier())
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "node\toperator\tms\tGFLOP/s\t% of peak\tbytes")
	for _, r := range nodes {
		fmt.Fprintf(w, "%s\t%s\t%.3f\t%s\t%d\n", r.node, r.op, ms(r.time), speed(r, peak), r.bytes)
	}
	w.Flush()
	fmt.Fprintln(out)
	fmt.Fprintln(w, "operator\tnodes run\tms\t% of time\tGFLOP/s\t% of peak\tbytes")
	for _, r := range operators {
		fmt.Fprintf(w, "%s\t%d\t%.3f\t%.1f\t%s\t%d\n", r.op, r.count, ms(r.time), 100*float64(r.time)/float64(max(sum, 1)), speed(r, peak), r.bytes)
	}
	return w.Flush()
}

// speed is GFLOP/s and % of peak, or dashes where the operations are not known.
func speed(r row, peak float64) string {
	if r.flop == 0 || r.time <= 0 {
		return "-\t-"
	}
	s := float64(r.flop) / r.time.Seconds()
	return fmt.Sprintf("%.1f\t%.1f", s/1e9, 100*s/peak)
}

// traceEvent is one span of Chrome's trace format; times are in microseconds.
type traceEvent struct {
	Name     string         `json:"name"`
	Category string         `json:"cat"`
	Phase    string         `json:"ph"`
	Start    float64        `json:"ts"`
	Duration float64        `json:"dur"`
	Process  int            `json:"pid"`
	Thread   int            `json:"tid"`
	Args     map[string]any `json:"args"`
}

// writeTrace writes events as Chrome's trace format wants them.
func writeTrace(w io.Writer, events []runtime.Event) error {
	var zero time.Time
	for _, e := range events {
		if zero.IsZero() || e.Start.Before(zero) {
			zero = e.Start
		}
	}
	all := make([]traceEvent, len(events))
	for i, e := range events {
		all[i] = traceEvent{
			Name: e.Node, Category: e.OpType, Phase: "X",
			Start: float64(e.Start.Sub(zero).Nanoseconds()) / 1e3, Duration: float64(e.Duration.Nanoseconds()) / 1e3,
			Process: 1, Thread: 1,
			Args: map[string]any{"operator": e.OpType, "flop": e.FLOP, "bytes": e.Bytes, "late": e.Late, "outputs": e.Outputs},
		}
	}
	return json.NewEncoder(w).Encode(map[string]any{"traceEvents": all, "displayTimeUnit": "ms"})
}
