// Blocks on the host's threads, warps in turn, fragments until they wait or end.
#include <algorithm>
#include <atomic>
#include <mutex>
#include <numeric>
#include <optional>
#include <thread>

#include "machine.h"

namespace gpusim {
namespace {

// After so many instructions another warp has its turn, so that one that waits for another in a loop does not wait for
// ever.
constexpr uint64_t kTurn = 1 << 16;

uint64_t random(uint64_t& state) {
  state += 0x9e3779b97f4a7c15u;
  uint64_t x = state;
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
  x = (x ^ x >> 27) * 0x94d049bb133111ebu;
  return x ^ x >> 31;
}

template <typename T>
void shuffled(std::vector<T>& items, uint64_t seed) {
  for (size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[random(seed) % i]);
}

class WarpRun {
 public:
  WarpRun(Block& block, Warp& warp) : block_(block), warp_(warp), code_(block.kernel.code) {}

  // Runs until no fragment is ready, or the turn is over. Returns whether anything ran.
  bool turn() {
    uint64_t left = kTurn;
    bool ran = false;
    while (left > 0) {
      Fragment* fragment = furthestBehind();
      if (!fragment) return ran;
      ran = true;
      advance(*fragment, left);
    }
    return ran;
  }

 private:
  // The ready fragment with the lowest place; all at that place become one.
  Fragment* furthestBehind() {
    auto& fragments = warp_.fragments;
    Fragment* best = nullptr;
    for (Fragment& f : fragments) {
      if (f.state == Fragment::State::kReady && (!best || f.at < best->at)) best = &f;
    }
    if (!best) return nullptr;
    const uint32_t at = best->at;
    uint32_t lanes = 0;
    bool several = false;
    limit_ = ~0u;
    for (Fragment& f : fragments) {
      if (f.state == Fragment::State::kAtBarrier) continue;
      if (f.at == at) {
        several = several || lanes != 0;
        lanes |= f.lanes;
      } else if (f.at > at) {
        limit_ = std::min(limit_, f.at);
      }
    }
    if (!several) return best;
    std::erase_if(fragments, [&](const Fragment& f) { return f.state != Fragment::State::kAtBarrier && f.at == at; });
    fragments.push_back({at, lanes});
    return &fragments.back();
  }

  void advance(Fragment& fragment, uint64_t& left) {
    uint32_t at = fragment.at;
    const uint32_t lanes = fragment.lanes;
    Counters& counters = block_.counters;
    const uint32_t hot = block_.kernel.hotBegin, hotSize = block_.kernel.hotEnd - hot;
    while (left > 0) {
      if (at >= limit_) break;
      const Instruction& i = code_[at];
      uint32_t active = lanes;
      if (i.guard != kNoOperand) {
        const uint32_t p = warp_.predicate(i.guard);
        active &= i.guardNegated ? ~p : p;
      }
      --left;
      counters.instructions[size_t(i.kind)] += 1;
      counters.hotInstructions += at - hot < hotSize;
      current_ = &i;
      if (i.control == Control::kNone) {
        if (active) call(i, active);
        ++at;
        continue;
      }
      if (!active) {
        ++at;
        continue;
      }
      if (i.control == Control::kBranch) {
        const auto target = uint32_t(i.immediate);
        if (active == lanes) {
          at = target;
          // Others may be behind now.
          if (warp_.fragments.size() > 1) break;
          continue;
        }
        fragment.at = at + 1;
        fragment.lanes = lanes & ~active;
        warp_.fragments.push_back({target, active});
        return;
      }
      if (i.control == Control::kConvergence) {
        if (!converged(i, lanes, active)) {
          fragment.at = at;
          fragment.state = Fragment::State::kParked;
          return;
        }
        if (i.run) call(i, active);
        ++at;
        continue;
      }
      fragment.at = at;
      if (i.control == Control::kExit) return leave(fragment, active);
      if (i.control == Control::kBarrier) {
        if (active != lanes) throw fault("a barrier that some lanes of the warp skip by a predicate");
        return arrive(fragment, i);
      }
      throw fault("cannot be executed: " + block_.kernel.unsupported[size_t(i.option)]);
    }
    fragment.at = at;
  }

  void call(const Instruction& i, uint32_t active) {
    try {
      i.run(warp_, i, active);
    } catch (const Fault& wrong) {
      throw fault(wrong.what());
    }
  }

  bool converged(const Instruction& i, uint32_t lanes, uint32_t active) {
    const uint32_t* masks = warp_.lane<uint32_t>(i.operand[1]);
    const uint32_t wanted = masks[std::countr_zero(active)];
    bool same = true;
    eachLane(active, [&](int l) { same = same && (masks[l] == wanted); });
    if (!same) throw fault("lanes that meet name different lanes");
    if (!block_.settings.convergence) return true;
    if (active & ~wanted) throw fault("a lane takes part that its mask does not name");
    if (wanted & ~active & ~(warp_.live() & ~lanes))
      throw fault("waits for a lane that has ended, or goes another way");
    return (wanted & ~active) == 0;
  }

  void leave(Fragment& fragment, uint32_t active) {
    if (active == fragment.lanes) {
      warp_.fragments.erase(warp_.fragments.begin() + (&fragment - warp_.fragments.data()));
    } else {
      fragment.lanes &= ~active;
      ++fragment.at;
    }
  }

  void arrive(Fragment& fragment, const Instruction& i) {
    const int first = std::countr_zero(fragment.lanes);
    const uint32_t number = warp_.lane<uint32_t>(i.operand[0])[first];
    if (number >= block_.barriers.size()) throw fault("barrier " + std::to_string(number) + ", of 16");
    if (block_.settings.convergence && i.size && fragment.lanes != warp_.live()) {
      throw fault("a barrier that only some lanes of the warp reach together");
    }
    Barrier& barrier = block_.barriers[number];
    barrier.expected = i.operand[1] == kNoOperand ? 0 : warp_.lane<uint32_t>(i.operand[1])[first];
    barrier.arrived += uint32_t(std::popcount(fragment.lanes));
    ++fragment.at;
    if (i.option == 1) return;
    if (i.option == 2) {
      const uint32_t votes = warp_.predicate(i.operand[2]) & fragment.lanes;
      barrier.votesAll &= votes == fragment.lanes;
      barrier.votesAny |= votes != 0;
      barrier.votesCount += uint32_t(std::popcount(votes));
      barrier.reductions.push_back({&warp_, &i, fragment.lanes});
    }
    fragment.state = Fragment::State::kAtBarrier;
    fragment.barrier = number;
  }

 public:
  Fault fault(const std::string& what) const {
    const auto& at = block_.at;
    std::string text = block_.kernel.name + ", block (" + std::to_string(at[0]) + ", " + std::to_string(at[1]) + ", " +
                       std::to_string(at[2]) + "), warp " + std::to_string(warp_.number) + ": " + what;
    if (current_) {
      const auto& lines = block_.kernel.module->lines;
      text += "\n  PTX line " + std::to_string(current_->line);
      if (current_->line > 0 && size_t(current_->line) <= lines.size())
        text += ": " + lines[size_t(current_->line) - 1];
    }
    return Fault(text);
  }

 private:
  Block& block_;
  Warp& warp_;
  const std::vector<Instruction>& code_;
  const Instruction* current_ = nullptr;
  uint32_t limit_ = ~0u;
};

// What a block needs, kept from one to the next.
struct Worker {
  SharedMemory shared;
  std::vector<Warp> warps;
  Counters counters;
};

class BlockRun {
 public:
  BlockRun(const Launch& launch, GlobalMemory& memory, const Settings& settings, Worker& worker, uint64_t index)
      : launch_(launch),
        worker_(worker),
        block_{launch.kernel,
               settings,
               memory,
               worker.shared,
               launch.parameters,
               launch.grid,
               launch.block,
               {uint32_t(index % launch.grid[0]), uint32_t(index / launch.grid[0] % launch.grid[1]),
                uint32_t(index / launch.grid[0] / launch.grid[1])},
               std::move(worker.warps),
               {},
               {}} {
    worker.shared.begin(launch.kernel.staticShared + launch.dynamicShared);
    block_.warps.resize((block_.threads() + kLanes - 1) / kLanes);
    for (size_t w = 0; w < block_.warps.size(); ++w) begin(block_.warps[w], int(w));
  }

  void run() {
    std::vector<WarpRun> runs;
    for (Warp& warp : block_.warps) runs.emplace_back(block_, warp);
    std::vector<size_t> order(runs.size());
    std::iota(order.begin(), order.end(), size_t(0));
    uint64_t seed = block_.settings.shuffle + block_.at[0];
    for (;;) {
      if (block_.settings.shuffle) shuffled(order, random(seed));
      bool ran = false;
      for (const size_t w : order) ran = runs[w].turn() || ran;
      const bool released = releaseBarriers();
      if (ran || released) continue;
      for (size_t w = 0; w < runs.size(); ++w) {
        if (!block_.warps[w].fragments.empty()) throw runs[w].fault(waitingFor(block_.warps[w]));
      }
      break;
    }
    worker_.counters.add(block_.counters);
    worker_.warps = std::move(block_.warps);
  }

 private:
  void begin(Warp& warp, int number) {
    warp.block = &block_;
    warp.number = number;
    const auto& initial = launch_.kernel.registers;
    if (warp.file.size() != initial.size()) warp.file.resize(initial.size());
    std::memcpy(warp.file.data(), initial.data(), initial.size());
    const uint32_t first = uint32_t(number) * kLanes;
    const uint32_t count = std::min<uint32_t>(kLanes, block_.threads() - first);
    warp.fragments.assign(1, {0, count == kLanes ? kAllLanes : (1u << count) - 1});
    if (launch_.kernel.localBytes) warp.local.assign(launch_.kernel.localBytes * kLanes, 0xcd);
    for (auto& groups : warp.copies) groups.clear();
    warp.cached = {};
    const auto& special = launch_.kernel.special;
    for (uint32_t l = 0; l < kLanes; ++l) {
      const uint32_t thread = first + l;
      const uint32_t tid[3] = {thread % block_.size[0], thread / block_.size[0] % block_.size[1],
                               thread / block_.size[0] / block_.size[1]};
      for (size_t d = 0; d < 3; ++d) {
        warp.lane<uint32_t>(special.tid[d])[l] = tid[d];
        warp.lane<uint32_t>(special.ctaid[d])[l] = block_.at[d];
        warp.lane<uint32_t>(special.ntid[d])[l] = block_.size[d];
        warp.lane<uint32_t>(special.nctaid[d])[l] = block_.grid[d];
      }
      warp.lane<uint32_t>(special.laneid)[l] = l;
      warp.lane<uint32_t>(special.warpid)[l] = uint32_t(number);
      warp.lane<uint32_t>(special.lanemaskLt)[l] = (1u << l) - 1;
    }
  }

  uint32_t liveThreads() const {
    uint32_t count = 0;
    for (const Warp& warp : block_.warps) count += uint32_t(std::popcount(warp.live()));
    return count;
  }

  bool releaseBarriers() {
    bool released = false;
    for (uint32_t number = 0; number < block_.barriers.size(); ++number) {
      Barrier& barrier = block_.barriers[number];
      if (barrier.arrived == 0) continue;
      const uint32_t live = liveThreads();
      const uint32_t expected = barrier.expected ? barrier.expected : live;
      if (barrier.arrived < expected) continue;
      for (const Barrier::Waiting& waiting : barrier.reductions) tell(barrier, waiting);
      for (Warp& warp : block_.warps) {
        for (Fragment& fragment : warp.fragments) {
          if (fragment.state == Fragment::State::kAtBarrier && fragment.barrier == number) {
            fragment.state = Fragment::State::kReady;
          }
        }
      }
      barrier = {};
      // A barrier of some threads orders only those; to take it for all would hide hazards of the others, to take it
      // for none would find some that are not there.
      block_.shared.barrier();
      released = true;
    }
    return released;
  }

  static void tell(const Barrier& barrier, const Barrier::Waiting& waiting) {
    const Instruction& i = *waiting.instruction;
    if (i.count == 2) {
      auto* d = waiting.warp->lane<uint32_t>(i.operand[3]);
      eachLane(waiting.lanes, [&](int l) { d[l] = barrier.votesCount; });
      return;
    }
    uint32_t& p = waiting.warp->predicate(i.operand[3]);
    const bool result = i.count == 1 ? barrier.votesAny != 0 : barrier.votesAll != 0;
    p = result ? p | waiting.lanes : p & ~waiting.lanes;
  }

  std::string waitingFor(const Warp& warp) const {
    for (const Fragment& fragment : warp.fragments) {
      if (fragment.state == Fragment::State::kParked) return "waits for lanes that never come";
    }
    const Barrier& barrier = block_.barriers[warp.fragments.front().barrier];
    return "waits for ever at barrier " + std::to_string(warp.fragments.front().barrier) + ", where " +
           std::to_string(barrier.arrived) + " threads have arrived of " + std::to_string(liveThreads());
  }

  const Launch& launch_;
  Worker& worker_;
  Block block_;
};

}  // namespace

void Counters::add(const Counters& other) {
  for (size_t k = 0; k < instructions.size(); ++k) instructions[k] += other.instructions[k];
  hotInstructions += other.hotInstructions;
  globalRequests += other.globalRequests, globalSectors += other.globalSectors, globalBytes += other.globalBytes;
  idealSectors += other.idealSectors, wideRequests += other.wideRequests, wideLoads += other.wideLoads;
  wideSectors += other.wideSectors, wideIdealSectors += other.wideIdealSectors;
  touchedBytes += other.touchedBytes, touchedSectors += other.touchedSectors;
  sharedRequests += other.sharedRequests, sharedConflicts += other.sharedConflicts;
}

Counters run(const Launch& launch, GlobalMemory& memory, const Settings& settings) {
  const uint64_t blocks = uint64_t(launch.grid[0]) * launch.grid[1] * launch.grid[2];
  std::vector<uint64_t> order(blocks);
  std::iota(order.begin(), order.end(), uint64_t(0));
  if (settings.shuffle) shuffled(order, settings.shuffle);
  std::atomic<uint64_t> next{0};
  std::mutex mutex;
  std::optional<Fault> first;
  Counters total;
  const auto work = [&] {
    Worker worker;
    try {
      for (uint64_t b = next++; b < blocks; b = next++) BlockRun(launch, memory, settings, worker, order[b]).run();
    } catch (const Fault& fault) {
      next = blocks;
      std::lock_guard lock(mutex);
      if (!first) first = fault;
    }
    std::lock_guard lock(mutex);
    total.add(worker.counters);
  };
  // A thread costs more than a few small blocks.
  constexpr uint64_t kBlocksForThread = 4;
  const uint64_t threads = std::min<uint64_t>(settings.threads, std::max<uint64_t>(1, blocks / kBlocksForThread));
  std::vector<std::thread> others;
  for (uint64_t t = 1; t < threads; ++t) others.emplace_back(work);
  work();
  for (std::thread& other : others) other.join();
  if (first) throw *first;
  if (settings.count) memory.countTouched(total.touchedBytes, total.touchedSectors);
  return total;
}

}  // namespace gpusim
