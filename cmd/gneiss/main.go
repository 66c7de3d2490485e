// Command gneiss trains, runs, checks and compares ONNX models.
//
// Exit status: 0 done, and the answer is yes; 1 the answer is no (values differ, a case failed, the checker found faults);
// 2 it could not be answered (usage, unreadable or invalid model, unsupported operator, bad input, a limit, interrupted);
// 3 a bug of this program. Messages are one line on stderr; results alone go to stdout.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/gneiss-ml/gneiss/onnx"
	"github.com/spf13/cobra"
)

// Exit statuses.
const (
	yes = iota
	no
	unanswered
	bug
)

// errNo is what a verb returns when its answer is no. What there is to say has been printed.
var errNo = errors.New("no")

// app is where a verb's results go.
type app struct {
	out, err io.Writer
}

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run executes one command line and returns the exit status.
func run(args []string, out, errs io.Writer) (status int) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	defer func() {
		if x := recover(); x != nil {
			if os.Getenv("GNEISS_TRACE") == "1" {
				fmt.Fprintf(errs, "%v\n%s", x, debug.Stack())
			}
			fmt.Fprintf(errs, "gneiss: internal error: %s: please report it (GNEISS_TRACE=1 shows where)\n", oneLine(fmt.Sprint(x)))
			status = bug
		}
	}()
	a := &app{out: out, err: errs}
	root := a.root()
	root.SetArgs(args)
	return a.status(root.ExecuteContext(ctx))
}

// status prints err and gives the exit status that it means.
func (a *app) status(err error) int {
	switch {
	case err == nil:
		return yes
	case errors.Is(err, errNo):
		return no
	}
	fmt.Fprintf(a.err, "gneiss: %s\n", oneLine(err.Error()))
	if errors.Is(err, onnx.ErrInternal) {
		return bug
	}
	return unanswered
}

// oneLine makes a message one line.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use: "gneiss", Short: "Train, run, check and compare ONNX models", SilenceUsage: true, SilenceErrors: true,
		Example: "  gneiss train mnist --epochs 5 --out mnist.onnx\n  gneiss run mnist.onnx --in digit.png",
		Long: "Gneiss is a pure-Go ONNX runtime that also trains.\n\n" +
			"Exit status: 0 yes, 1 no, 2 could not be answered, 3 a bug of ours.",
	}
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.AddCommand(a.train(), a.run(), a.predict(), a.inspect(), a.check(), a.test(), a.compare(), a.bench(), a.profile(), a.version())
	return root
}
