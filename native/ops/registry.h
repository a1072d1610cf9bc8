// The registry of ops: the one source of truth for what an op takes, gives, and which backends have it. The binding
// checks calls against it, lib/native/schema.generated.ts is printed from it, tests and benches walk it.
#pragma once
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/device_kind.h"
#include "core/dtype.h"
#include "core/error.h"
#include "core/shape.h"
#include "core/small_vector.h"
#include "core/tensor.h"
#include "cpu/column.h"
#include "cuda/column.h"

namespace duo {

// Which element types an input may have.
enum class Kind {
  kFloat,    // float32, float16 or bfloat16; kernels see float32, the backend converts on the way in and out
  kStored,   // float32, float16 or bfloat16; the kernel sees the stored type, but converted ones in all other operands
  kFloat32,  // float32 alone
  kInt32,
  kUint8,
  kAny,  // everything; the kernel sees the stored type
};

// What a kernel asks of the strides of an input; whatever does not meet it is copied to workspace first.
enum class Layout {
  kContiguous,  // row-major without gaps
  kRows,        // last dimension dense, the others at any stride
  kStrided,     // anything
};

struct InputSpec {
  const char* name;
  // Symbolic dimensions, separated by spaces: the same symbol is the same number in the whole call, a digit string is
  // itself, a leading "..." any number of dimensions (the same ones wherever it appears). "*" alone: any shape.
  const char* dims;
  Kind kind = Kind::kFloat;
  Layout layout = Layout::kContiguous;
  bool optional = false;
  bool list = false;     // any number of tensors
  bool mutated = false;  // updated in place; must then be float32 or kAny, at whatever layout it has
  bool host = false;     // int32 with a host copy, which the shape rule may read: OpCall::host
};

enum class AttrType { kInt, kFloat, kBool, kEnum };

struct AttrSpec {
  const char* name;
  AttrType type;
  std::optional<double> fallback;  // nothing: the caller must give it
  double min = -9007199254740991.0, max = 9007199254740991.0;
  std::vector<const char*> choices = {};  // of kEnum; the value is the index
};

// An output: `dims` as above, symbols bound by the inputs, or null when the shape rule says.
struct OutputSpec {
  const char* name;
  const char* dims = nullptr;
  // Element type: that of the named input, or when null `dtype`.
  const char* like = nullptr;
  DType dtype = DType::kFloat32;
  bool optional = false;  // the shape rule may leave it out
};

struct OutputShape {
  Dims dims;
  DType dtype = DType::kFloat32;
  bool present = true;
};

// A tensor as a kernel sees it.
struct TensorArg {
  void* data = nullptr;
  DType dtype = DType::kFloat32;
  Dims dims, strides;
  bool present = false;
  HostCopy host;

  int64_t count() const { return dims.count(); }
  template <typename T>
  T* as() const {
    return static_cast<T*>(data);
  }
  float* f32() const { return as<float>(); }
  const int32_t* i32() const { return as<const int32_t>(); }
};

struct OpDef;

// One call of an op: what shape rules read at enqueue (no data yet) and kernels read when they run.
class OpCall {
 public:
  explicit OpCall(const OpDef& def) : def(def) {}
  const OpDef& def;
  DeviceKind device = DeviceKind::kCpu;
  bool tf32 = false;  // float32 products may round their operands to tf32, where the device can

  const TensorArg& in(const char* name) const;  // of a list: its first
  std::span<const TensorArg> list(const char* name) const;
  bool has(const char* name) const { return in(name).present; }
  const TensorArg& out(const char* name) const;
  bool wants(const char* name) const { return out(name).present; }

  double number(const char* attr) const;
  float f32(const char* attr) const { return float(number(attr)); }
  int64_t integer(const char* attr) const { return int64_t(number(attr)); }
  bool flag(const char* attr) const { return number(attr) != 0; }

  // Dimension `symbol` as bound by the inputs' specs.
  int64_t dim(const char* symbol) const;
  // Host copy of an input declared with .host
  std::span<const int32_t> host(const char* name) const;

  // Throw a ShapeError for input `name` when the condition does not hold.
  void expectShape(const char* name, const Dims& expected) const;
  void expect(bool condition, ErrorCode code, std::string_view expected, std::string_view got) const;

  SmallVector<TensorArg, 3> inputs;           // lists flattened
  SmallVector<std::pair<int, int>, 8> slots;  // per input spec: first, count in `inputs`
  SmallVector<TensorArg, 1> outputs;
  SmallVector<double, 8> attrs;
  SmallVector<std::pair<std::string_view, int64_t>, 4> symbols;
  Dims rest;  // what "..." stands for
  void* workspace = nullptr;

  template <typename T>
  T* scratch() const {
    return static_cast<T*>(workspace);
  }
};

using ShapeRule = std::vector<OutputShape> (*)(const OpCall&);
using WorkspaceRule = size_t (*)(const OpCall&);
using FlopsRule = double (*)(const OpCall&);
// Called at enqueue after the generic checks, for what symbols and ranges cannot say.
using Check = void (*)(const OpCall&);

struct OpDef {
  const char* name;
  std::vector<InputSpec> inputs;
  std::vector<AttrSpec> attrs = {};
  std::vector<OutputSpec> outputs = {};
  Check check = nullptr;
  ShapeRule shapes = nullptr;  // null: the outputs' dims say it all
  WorkspaceRule workspace =
      nullptr;  // bytes of scratch memory; of the CPU's kernel; may depend on shapes and cpu::scratchSlots() alone
  // Of ops that refuse rows by their data: what such a row must be, as the DataError says it.
  const char* usableRows = nullptr;
  FlopsRule flops = nullptr;  // of its matrix products, a multiply and an add being two; null: it has none
  cpu::Column cpu = {};
  cuda::Column cuda = {};  // absent: calls on CUDA are refused
};

const std::vector<OpDef>& registry();

// Checks the call against its definition, binds symbols and fills call.outputs but for their data.
void checkCall(OpCall& call);
std::vector<OutputShape> outputShapes(const OpCall& call);

}  // namespace duo
