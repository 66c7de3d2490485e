#!/usr/bin/env bash
# The matrix of `make check`: every row is timed and the first that fails ends the run.
# CHECK_ROWS="fmt vet ..." runs only those rows.
set -euo pipefail
cd "$(dirname "$0")/.."
GO=${GO:-go}
modules=(. testdata train/dataset/mnist internal/kernel/_asm interop/onnxgo)
present=()
for m in "${modules[@]}"; do [ -f "$m/go.mod" ] && present+=("$m"); done

each() { for m in "${present[@]}"; do (cd "$m" && "$@") || { echo "check: in module $m" >&2; return 1; }; done; }
empty() { # fails when its input is not empty
	local out
	out=$(cat)
	[ -z "$out" ] || { echo "$out"; return 1; }
}

fmt() {
	git ls-files '*.go' | xargs "$GO" run "$gofumpt" -l | empty
	git ls-files '*.s' | xargs -r "$GO" run "$asmfmt" -l | empty
}
tidy() { each "$GO" mod tidy -diff; }
fix() { each "$GO" fix -diff ./...; }
vet() {
	each "$GO" vet ./...
	GOARCH=arm64 "$GO" vet ./...
}
lint() {
	"$GO" run "$staticcheck" -checks all ./...
	"$GO" run "$errorlint" -errorf -asserts -comparison ./...
}
shuffle() { "$GO" test -shuffle=on ./...; }
race() { CGO_ENABLED=1 "$GO" test -race -short ./...; }
purego() { "$GO" test -short -tags purego ./...; }
i386() { GOARCH=386 "$GO" test -short ./...; }
tiers() {
	local tier
	for tier in generic avx2 avx512; do
		if GNEISS_CPU=$tier "$GO" run ./cmd/gneiss version | grep -q "cpu tier $tier\$"; then
			echo "-- tier $tier"
			GNEISS_CPU=$tier "$GO" test -short -count=1 ./internal/... ./runtime/... ./train/...
		else
			echo "-- tier $tier SKIPPED: this machine lacks it"
		fi
	done
}
arm64() {
	if command -v qemu-aarch64 >/dev/null; then
		GOARCH=arm64 "$GO" test -short -exec qemu-aarch64 ./internal/kernel/... ./internal/cpu/... ./onnx/
	else
		echo "qemu-aarch64 is needed (Debian package qemu-user)" >&2
		return 1
	fi
}
cross() {
	local target
	for target in linux/amd64 linux/arm64 linux/386 linux/arm linux/riscv64 linux/ppc64le darwin/amd64 darwin/arm64 \
		windows/amd64 windows/arm64 freebsd/amd64 js/wasm wasip1/wasm; do
		CGO_ENABLED=0 GOOS=${target%/*} GOARCH=${target#*/} "$GO" build ./... || { echo "check: $target" >&2; return 1; }
	done
}
generated() {
	make -s generate
	git diff --exit-code
}

export -f empty
start=$SECONDS
for row in ${CHECK_ROWS:-fmt tidy fix vet lint generated shuffle race purego i386 tiers arm64 cross}; do
	t=$SECONDS
	echo "== check: $row"
	"$row"
	echo "== check: $row took $(((SECONDS - t) / 60))m$(((SECONDS - t) % 60))s"
done
echo "== check took $(((SECONDS - start) / 60))m$(((SECONDS - start) % 60))s"
