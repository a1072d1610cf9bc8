// Launchers of reductions.
#include <algorithm>

#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "cuda/tuning.h"
#include "cuda/walk.h"

namespace duo::cuda {
namespace {

constexpr unsigned kThreads = 256;
constexpr int64_t kWarp = 32;

// What is reduced, and what stays.
struct Walks {
  Walk outer, inner;
  int64_t outputs, count;

  Walks(const TensorArg& x, int64_t axes) {
    Dims dims[2], strides[2];
    for (int d = 0; d < x.dims.rank(); ++d) {
      const int reduced = int(axes >> d & 1);
      dims[reduced].push(x.dims[d]), strides[reduced].push(x.strides[d]);
    }
    outer = walkOf(dims[0], strides[0]), inner = walkOf(dims[1], strides[1]);
    outputs = dims[0].count(), count = dims[1].count();
  }

  // Whether neighbouring outputs lie together, and elements of one of them do not.
  bool byThreads() const { return outer.rank > 0 && outer.strides[outer.rank - 1] == 1 && outputs >= kWarp; }
};

// Pieces of each output: enough that every multiprocessor has eight warps, of at least 256 elements.
int64_t piecesOf(const Walks& walks, const Limits& limits) {
  const int64_t warps = walks.byThreads() ? ceilDivide(walks.outputs, kWarp) : walks.outputs;
  const int64_t wanted = ceilDivide(8 * std::max(limits.multiprocessors, 1), std::max<int64_t>(warps, 1));
  return std::clamp<int64_t>(std::min(wanted, walks.count / 256), 1, 4096);
}

}  // namespace

namespace workspaces {

size_t reduce(const OpCall& call, const Limits& limits) {
  const Walks walks(call.in("x"), call.integer("axes"));
  const int64_t pieces = piecesOf(walks, limits);
  return pieces > 1 ? size_t(walks.outputs * pieces) * sizeof(float) : 0;
}

}  // namespace workspaces

namespace launchers {

void reduce(Launch& launch) {
  const TensorArg &x = launch.call.in("x"), &y = launch.call.out("y");
  if (y.count() == 0) return;
  if (x.count() == 0) return launch.zero(y.data, size_t(y.count()) * sizeof(float));
  const Walks walks(x, launch.call.integer("axes"));
  const int kind = int(launch.call.integer("kind"));
  const float scale = kind == 1 ? 1 / float(walks.count) : 1.f;
  const int64_t pieces = piecesOf(walks, launch.limits);
  const auto pass = [&](const void* from, void* to, const Walk& outer, const Walk& inner, int64_t count,
                        int64_t numPieces, bool byThreads, float by) {
    const int64_t threads = walks.outputs * numPieces * (byThreads ? 1 : kWarp);
    launch.run("reduce", {blocksFor(threads, kThreads)}, kThreads, 0, from, to, outer, inner, walks.outputs, count,
               numPieces, int(!byThreads), kind, by);
  };
  if (pieces == 1) return pass(x.data, y.data, walks.outer, walks.inner, walks.count, 1, walks.byThreads(), scale);
  float* partials = launch.scratch<float>();
  pass(x.data, partials, walks.outer, walks.inner, walks.count, pieces, walks.byThreads(), 1.f);
  Walk outer{1, 0, {walks.outputs}, {1}}, inner{1, 0, {pieces}, {walks.outputs}};
  pass(partials, y.data, outer, inner, pieces, 1, walks.outputs >= kWarp, scale);
}

void maxBwd(Launch& launch) {
  const OpCall& call = launch.call;
  const Walks walks(call.in("x"), call.integer("axes"));
  if (walks.outputs == 0 || walks.count == 0) return;
  launch.run("maxBwd", {blocksFor(walks.outputs * kWarp, kThreads)}, kThreads, 0, call.in("x").data, call.in("y").data,
             call.in("dY").data, call.out("dX").data, walks.outer, walks.inner, walks.outputs, walks.count);
}

}  // namespace launchers
}  // namespace duo::cuda
