// Scaled dot product attention.
#include "library.h"

#include <torch/version.h>

EXPORT Handle ts_attention(Handle query, Handle key, Handle value, Handle mask, double p, bool causal) {
  return guarded<Handle>(nullptr, [&] {
    auto given = mask ? Optional<at::Tensor>(*mask) : Optional<at::Tensor>();
#if TORCH_VERSION_MAJOR >= 2
    return handle_of(at::scaled_dot_product_attention(*query, *key, *value, given, p, causal));
#else
    return handle_of(std::get<0>(at::_scaled_dot_product_attention(*query, *key, *value, given, p, false, causal)));
#endif
  });
}
