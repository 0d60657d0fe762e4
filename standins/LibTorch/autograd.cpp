// Gradients: modes, the backward pass and a tensor's own gradient.
#include "library.h"

#include <c10/core/InferenceMode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/grad_mode.h>

namespace {

std::vector<at::Tensor> tensors_of(Handle* items, int count) {
  std::vector<at::Tensor> tensors;
  tensors.reserve(count);
  for (int i = 0; i < count; i++) tensors.push_back(items[i] ? *items[i] : at::Tensor());
  return tensors;
}

}  // namespace

EXPORT bool ts_grad_mode() { return at::GradMode::is_enabled(); }

EXPORT void ts_set_grad_mode(bool enabled) { at::GradMode::set_enabled(enabled); }

EXPORT bool ts_inference_mode() { return c10::InferenceMode::is_enabled(); }

EXPORT c10::InferenceMode* ts_inference_mode_new(bool enabled) { return new c10::InferenceMode(enabled); }

EXPORT void ts_inference_mode_free(c10::InferenceMode* mode) { delete mode; }

EXPORT int ts_set_requires_grad(Handle tensor, bool requires_grad) {
  return guarded(-1, [&] { tensor->set_requires_grad(requires_grad); return 0; });
}

EXPORT int ts_retain_grad(Handle tensor) {
  return guarded(-1, [&] { tensor->retain_grad(); return 0; });
}

EXPORT int ts_grad(Handle tensor, Handle* gradient) {
  return guarded(-1, [&] { *gradient = handle_of(tensor->grad()); return 0; });
}

EXPORT int ts_set_grad(Handle tensor, Handle gradient) {
  return guarded(-1, [&] {
    if (gradient) tensor->mutable_grad() = *gradient;
    else tensor->mutable_grad().reset();
    return 0;
  });
}

EXPORT int ts_backward(Handle* tensors, int count, Handle* gradients, int gradient_count, bool retain_graph, bool create_graph,
                       Handle* inputs, int input_count) {
  return guarded(-1, [&] {
    torch::autograd::backward(tensors_of(tensors, count), tensors_of(gradients, gradient_count), retain_graph, create_graph,
                              tensors_of(inputs, input_count));
    return 0;
  });
}

// One result for every input; null where an unused input is allowed.
EXPORT int ts_autograd_grad(Handle* outputs, int count, Handle* inputs, int input_count, Handle* gradients, int gradient_count,
                            bool retain_graph, bool create_graph, bool allow_unused, Handle* results) {
  return guarded(-1, [&] {
    auto found = torch::autograd::grad(tensors_of(outputs, count), tensors_of(inputs, input_count),
                                       tensors_of(gradients, gradient_count), retain_graph, create_graph, allow_unused);
    for (size_t i = 0; i < found.size(); i++) results[i] = handle_of(found[i]);
    return 0;
  });
}
