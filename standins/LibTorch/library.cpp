// Any operator of libtorch by name, and what a tensor knows about itself.
#include "library.h"

#include <ATen/Parallel.h>
#include <ATen/TensorIndexing.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/cuda.h>
#include <torch/serialize.h>
#include <torch/version.h>

namespace {

enum Kind : int32_t { kNone, kTensor, kInteger, kNumber, kBoolean, kIntegers, kTensors, kGenerator, kDevice, kText };

// An argument or a result of an operator; the managed side has the same layout.
struct Value {
  Kind kind;
  int32_t count;  // of a list's items; a device's index
  union {
    int64_t integer;  // also a device's type
    double number;
    void* pointer;
  };
};

c10::IValue to_ivalue(const Value& value, const c10::Argument& argument) {
  switch (value.kind) {
    case kTensor: return *static_cast<Handle>(value.pointer);
    case kInteger: return value.integer;
    case kNumber: return value.number;
    case kBoolean: return value.integer != 0;
    case kIntegers: return at::IntArrayRef(static_cast<int64_t*>(value.pointer), value.count);
    case kTensors: {
      auto type = argument.type()->expectRef<c10::ListType>().getElementType();  // Tensor, or optional Tensor
      c10::impl::GenericList list(type);
      list.reserve(value.count);
      for (int i = 0; i < value.count; i++) {
        auto item = static_cast<Handle*>(value.pointer)[i];
        list.push_back(item ? c10::IValue(*item) : c10::IValue());
      }
      return list;
    }
    case kGenerator: return *static_cast<at::Generator*>(value.pointer);
    case kDevice: return c10::Device(static_cast<c10::DeviceType>(value.integer), static_cast<c10::DeviceIndex>(value.count));
    case kText: return std::string(static_cast<const char*>(value.pointer));
    default: return {};
  }
}

Value to_value(c10::IValue&& result) {
  Value value{kNone, 0, {0}};
  if (result.isTensor()) {
    value.kind = kTensor;
    value.pointer = handle_of(std::move(result).toTensor());
  } else if (result.isTensorList()) {
    auto list = std::move(result).toTensorList();
    auto items = new Handle[list.size()];
    for (size_t i = 0; i < list.size(); i++) items[i] = handle_of(list.get(i));
    value = {kTensors, static_cast<int32_t>(list.size()), {0}};
    value.pointer = items;
  } else if (result.isInt()) {
    value.kind = kInteger;
    value.integer = result.toInt();
  } else if (result.isDouble()) {
    value.kind = kNumber;
    value.number = result.toDouble();
  } else if (result.isBool()) {
    value.kind = kBoolean;
    value.integer = result.toBool();
  }
  return value;
}

}  // namespace

EXPORT const char* ts_error() { return last_error.c_str(); }

EXPORT const char* ts_version() { return TORCH_VERSION; }

// Null where this libtorch has no such operator.
EXPORT c10::OperatorHandle* ts_operator(const char* name, const char* overload) {
  auto found = c10::Dispatcher::singleton().findSchema({std::string("aten::") + name, overload});
  return found ? new c10::OperatorHandle(*found) : nullptr;
}

// Arguments left out at the end take the schema's defaults, so one call serves versions that added some.
// Returns the number of results, of which the first `capacity` are stored, or -1.
EXPORT int ts_call(const c10::OperatorHandle* op, const Value* values, int count, Value* results, int capacity) {
  return guarded(-1, [&] {
    const auto& arguments = op->schema().arguments();
    thread_local torch::jit::Stack spare;  // its memory is used again; a nested call finds it empty
    torch::jit::Stack stack = std::move(spare);
    stack.clear();
    stack.reserve(arguments.size());
    for (int i = 0; i < count; i++) stack.push_back(to_ivalue(values[i], arguments[i]));
    for (size_t i = count; i < arguments.size(); i++) {
      TORCH_CHECK(arguments[i].default_value(), op->schema().name(), " needs an argument ", arguments[i].name());
      stack.push_back(*arguments[i].default_value());
    }
    op->callBoxed(&stack);
    int size = static_cast<int>(stack.size());
    for (int i = 0; i < size && i < capacity; i++) results[i] = to_value(std::move(stack[i]));
    stack.clear();
    spare = std::move(stack);
    return size;
  });
}

EXPORT void ts_free_tensors(Handle* items) { delete[] items; }

EXPORT void ts_free(Handle tensor) { delete tensor; }

EXPORT Handle ts_alias(Handle tensor) { return new at::Tensor(*tensor); }

EXPORT int64_t ts_property(Handle tensor, int property) {
  switch (property) {
    case 0: return tensor->dim();
    case 1: return tensor->numel();
    case 2: return tensor->element_size();
    case 3: return static_cast<int64_t>(tensor->scalar_type());
    case 4: return static_cast<int64_t>(tensor->device().type());
    case 5: return tensor->device().index();
    case 6: return tensor->is_contiguous();
    case 7: return tensor->storage_offset();
    case 8: return tensor->requires_grad();
    case 9: return tensor->is_leaf();
    default: return 0;
  }
}

EXPORT void ts_sizes(Handle tensor, int64_t* sizes, bool strides) {
  auto source = strides ? tensor->strides() : tensor->sizes();
  std::copy(source.begin(), source.end(), sizes);
}

EXPORT void* ts_data(Handle tensor) {
  return guarded<void*>(nullptr, [&] {
    TORCH_CHECK(tensor->has_storage(), "the tensor has no storage");
    // Something not null for an empty tensor: null says that libtorch threw.
    static char empty;
    auto data = tensor->data_ptr();
    return data ? data : &empty;
  });
}

// One entry between the brackets of an indexer; INT64_MIN is an absent bound of a slice.
struct Index {
  enum : int64_t { kNone, kInteger, kEllipsis, kBoolean, kTensor, kSlice } kind;
  int64_t start, stop, step;
  Handle tensor;
};

static std::vector<at::indexing::TensorIndex> indices_of(const Index* items, int count) {
  // Whole numbers here, symbolic ones since libtorch 2.
  using Bound = Optional<std::decay_t<decltype(std::declval<const at::indexing::Slice&>().start())>>;
  auto bound = [](int64_t value) { return value == INT64_MIN ? Bound() : Bound(value); };
  std::vector<at::indexing::TensorIndex> indices;
  indices.reserve(count);
  for (int i = 0; i < count; i++) {
    const Index& item = items[i];
    switch (item.kind) {
      case Index::kInteger: indices.emplace_back(item.start); break;
      case Index::kEllipsis: indices.emplace_back(at::indexing::Ellipsis); break;
      case Index::kBoolean: indices.emplace_back(item.start != 0); break;
      case Index::kTensor: indices.emplace_back(*item.tensor); break;
      case Index::kSlice: indices.emplace_back(at::indexing::Slice(bound(item.start), bound(item.stop), bound(item.step))); break;
      default: indices.emplace_back(at::indexing::None);
    }
  }
  return indices;
}

EXPORT Handle ts_index(Handle tensor, const Index* items, int count) {
  return guarded<Handle>(nullptr, [&] { return handle_of(tensor->index(indices_of(items, count))); });
}

EXPORT int ts_index_put(Handle tensor, const Index* items, int count, Handle value) {
  return guarded(-1, [&] { tensor->index_put_(indices_of(items, count), *value); return 0; });
}

EXPORT int ts_index_fill(Handle tensor, const Index* items, int count, bool whole, int64_t integer, double number) {
  return guarded(-1, [&] {
    tensor->index_put_(indices_of(items, count), whole ? at::Scalar(integer) : at::Scalar(number));
    return 0;
  });
}

// The part of a tensor at leading positions.
EXPORT Handle ts_select(Handle tensor, const int64_t* positions, int count) {
  return guarded<Handle>(nullptr, [&] {
    auto part = *tensor;
    for (int i = 0; i < count; i++) part = part.select(0, positions[i]);
    return handle_of(std::move(part));
  });
}

EXPORT int ts_copy(Handle tensor, Handle source) {
  return guarded(-1, [&] { tensor->copy_(*source); return 0; });
}

EXPORT int ts_save(Handle tensor, const char* location) {
  return guarded(-1, [&] { torch::save(*tensor, location); return 0; });
}

EXPORT Handle ts_load(const char* location) {
  return guarded<Handle>(nullptr, [&] {
    at::Tensor tensor;
    torch::load(tensor, location);
    return handle_of(tensor);
  });
}

EXPORT at::Generator* ts_generator_new(uint64_t seed) { return new at::Generator(at::detail::createCPUGenerator(seed)); }

EXPORT at::Generator* ts_generator_default() { return new at::Generator(at::globalContext().defaultGenerator(at::kCPU)); }

EXPORT void ts_generator_free(at::Generator* generator) { delete generator; }

EXPORT void ts_generator_set_seed(at::Generator* generator, uint64_t seed) {
  std::lock_guard<std::mutex> lock(generator->mutex());
  generator->set_current_seed(seed);
}

EXPORT uint64_t ts_generator_seed(at::Generator* generator) { return generator->current_seed(); }

EXPORT Handle ts_generator_state(at::Generator* generator) {
  return guarded<Handle>(nullptr, [&] { return handle_of(generator->get_state()); });
}

EXPORT int ts_generator_set_state(at::Generator* generator, Handle state) {
  return guarded(-1, [&] { generator->set_state(*state); return 0; });
}

EXPORT int ts_threads(bool interop) { return interop ? at::get_num_interop_threads() : at::get_num_threads(); }

EXPORT int ts_set_threads(int count, bool interop) {
  return guarded(-1, [&] { interop ? at::set_num_interop_threads(count) : at::set_num_threads(count); return 0; });
}

EXPORT int ts_cuda_count() {
  return guarded(-1, [] { return static_cast<int>(torch::cuda::device_count()); });
}

EXPORT bool ts_cuda_available() { return torch::cuda::is_available(); }

EXPORT bool ts_cudnn_available() { return torch::cuda::cudnn_is_available(); }

EXPORT int ts_cuda_seed(uint64_t seed, bool all) {
  return guarded(-1, [&] { all ? torch::cuda::manual_seed_all(seed) : torch::cuda::manual_seed(seed); return 0; });
}

EXPORT int ts_cuda_synchronize(int64_t device) {
  return guarded(-1, [&] { torch::cuda::synchronize(device); return 0; });
}
