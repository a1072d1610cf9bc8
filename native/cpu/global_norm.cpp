// Global norm of a list of gradients, and clipping by it.
//   globalNorm: √ Σ g², a double for each chunk, added in the chunks' order: reads 4 bytes an element
//   clipByGlobalNorm: g *= factor; reads and writes 4 bytes an element, nothing at all where the factor is 1
#include "cpu/kernels.h"
#include "cpu/optimizer.h"

namespace duo::cpu::DUO_ISA {

void globalNorm(const OpCall& call) {
  const auto grads = call.list("grads");
  int64_t* starts = call.scratch<int64_t>();
  const Chunks chunks(grads, starts);
  double* partials = reinterpret_cast<double*>(starts + grads.size() + 1);
  parallelFor(chunks.count(), [&](int64_t index, int) {
    const auto [tensor, begin, end] = chunks[index];
    partials[index] = sumOfSquares(grads[size_t(tensor)].f32() + begin, end - begin);
  });
  double sum = 0;
  for (int64_t i = 0; i < chunks.count(); ++i) sum += partials[i];
  *call.out("norm").f32() = float(std::sqrt(sum));
}

void clipByGlobalNorm(const OpCall& call) {
  const auto grads = call.list("grads");
  const double norm = *call.in("norm").f32(), maxNorm = call.number("maxNorm");
  const bool tf = call.integer("style") == 1;
  // Only a norm that is known to be small enough leaves the gradients as they are: a NaN reaches all of them.
  const bool within = tf ? norm <= maxNorm : norm + 1e-6 <= maxNorm;
  if (within) return;
  const VecF factor = VecF::fill(float(maxNorm / (tf ? norm : norm + 1e-6)));
  const Chunks chunks(grads, call.scratch<int64_t>());
  parallelFor(chunks.count(), [&](int64_t index, int) {
    const auto [tensor, begin, end] = chunks[index];
    float* g = grads[size_t(tensor)].f32();
    vectorLoop(begin, end, [&](int64_t i, auto lanes) { lanes.store(g + i, lanes.load(g + i) * factor); });
  });
}

}  // namespace duo::cpu::DUO_ISA
