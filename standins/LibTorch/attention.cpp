// Scaled dot product attention. libtorch before 2.1 has no fused kernel for the CPU: there, attention without a mask and
// without dropout runs here, in blocks of query rows, so that [T,T] never exists whole and causal halves are not computed.
#include "library.h"

#include <torch/version.h>

#define FUSED_HERE (TORCH_VERSION_MAJOR < 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR < 1))

#if FUSED_HERE
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cmath>

#if defined(__x86_64__) && defined(__GLIBC__)
// glibc has these for whole vectors, and says so only where all of -ffast-math is on.
extern "C" {
#pragma omp declare simd notinbranch
float expf(float) noexcept;
#pragma omp declare simd notinbranch
double exp(double) noexcept;
}
#endif

// The BLAS that libtorch itself is linked with; null where it keeps its BLAS to itself.
extern "C" {
__attribute__((weak)) void sgemm_(const char*, const char*, const int*, const int*, const int*, const float*, const float*, const int*, const float*,
                                  const int*, const float*, float*, const int*);
__attribute__((weak)) void dgemm_(const char*, const char*, const int*, const int*, const int*, const double*, const double*, const int*, const double*,
                                  const int*, const double*, double*, const int*);
}

namespace {

inline auto gemm(float) { return &sgemm_; }
inline auto gemm(double) { return &dgemm_; }
inline float power(float x) { return ::expf(x); }
inline double power(double x) { return ::exp(x); }

constexpr int64_t kRows = 64;  // query rows of a block, at most

// Row-major C[m,n] = alpha A B + beta C, where A and B may be stored transposed; each ld is a distance between rows.
template <class T>
void multiply(bool transpose_a, bool transpose_b, int m, int n, int k, T alpha, const T* a, int lda, const T* b, int ldb, T beta, T* c, int ldc) {
  // To BLAS, whose matrices are column-major, this is the transposed C = B A.
  gemm(T())(transpose_b ? "T" : "N", transpose_a ? "T" : "N", &n, &m, &k, &alpha, b, &ldb, a, &lda, &beta, c, &ldc);
}

// One head's matrix of a [B,H,T,D] tensor with any strides but the last.
template <class T>
struct Heads {
  T* data;
  int64_t heads, batch_stride, head_stride, row;
  explicit Heads(const at::Tensor& t) : data(t.data_ptr<T>()), heads(t.size(1)), batch_stride(t.stride(0)), head_stride(t.stride(1)), row(t.stride(2)) {}
  T* at(int64_t unit, int64_t i = 0) const { return data + unit / heads * batch_stride + unit % heads * head_stride + i * row; }
};

// Laid out as [B,T,H,D], in which form the heads are joined again without a copy.
at::Tensor like_heads(const at::Tensor& t, bool zero = false) {
  auto made = at::empty({t.size(0), t.size(2), t.size(1), t.size(3)}, t.options().requires_grad(false));
  return (zero ? made.zero_() : made).transpose(1, 2);
}

at::Tensor with_rows(const at::Tensor& t) {
  return t.stride(3) == 1 && t.stride(2) >= t.size(3) ? t : t.contiguous();
}

// Calls body(unit, i, rows, keys) for every block of query rows of every head; `keys` are those that a block may see.
template <class Body>
void for_blocks(int64_t heads, int64_t queries, int64_t keys, bool causal, int64_t buffers, int64_t element, Body body) {
  // Measured: in short sequences what a block computes above the diagonal costs more than calling BLAS more often.
  int64_t block = keys > 256 ? kRows : kRows / 2;
  at::parallel_for(0, heads, 1, [&](int64_t begin, int64_t end) {
    std::unique_ptr<char[]> scratch(new char[buffers * block * keys * element]);
    for (int64_t unit = begin; unit < end; unit++)
      for (int64_t i = 0; i < queries; i += block) {
        int64_t rows = std::min(block, queries - i);
        body(unit, i, rows, causal ? std::min(keys, i + rows) : keys, scratch.get());
      }
  });
}

template <class T>
void attend(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value, bool causal, at::Tensor& output, at::Tensor& logsumexp) {
  Heads<T> q(query), k(key), v(value), o(output);
  int64_t queries = query.size(2), dim = query.size(3), value_dim = value.size(3);
  T scale = 1 / std::sqrt(static_cast<T>(dim));
  T* lse = logsumexp.data_ptr<T>();
  for_blocks(query.size(0) * query.size(1), queries, key.size(2), causal, 1, sizeof(T), [&](int64_t unit, int64_t i, int64_t rows, int64_t keys, char* scratch) {
    T* scores = reinterpret_cast<T*>(scratch);
    multiply<T>(false, true, rows, keys, dim, scale, q.at(unit, i), q.row, k.at(unit), k.row, 0, scores, keys);
    T sums[kRows];
    for (int64_t r = 0; r < rows; r++) {
      T* p = scores + r * keys;
      int64_t seen = causal ? std::min(keys, i + r + 1) : keys;
      T largest = p[0], sum = 0;
#pragma omp simd reduction(max : largest)
      for (int64_t j = 0; j < seen; j++) largest = p[j] > largest ? p[j] : largest;
#pragma omp simd reduction(+ : sum)
      for (int64_t j = 0; j < seen; j++) sum += p[j] = power(p[j] - largest);
      std::fill(p + seen, p + keys, T(0));
      sums[r] = sum;
      lse[unit * queries + i + r] = largest + std::log(sum);
    }
    multiply<T>(false, false, rows, value_dim, keys, 1, scores, keys, v.at(unit), v.row, 0, o.at(unit, i), o.row);
    for (int64_t r = 0; r < rows; r++) {
      T* row = o.at(unit, i + r);
      for (int64_t d = 0; d < value_dim; d++) row[d] /= sums[r];
    }
  });
}

template <class T>
void attend_backward(const at::Tensor& gradient, const at::Tensor& query, const at::Tensor& key, const at::Tensor& value, const at::Tensor& output,
                     const at::Tensor& logsumexp, bool causal, at::Tensor& query_gradient, at::Tensor& key_gradient, at::Tensor& value_gradient) {
  Heads<T> g(gradient), q(query), k(key), v(value), o(output), dq(query_gradient), dk(key_gradient), dv(value_gradient);
  int64_t queries = query.size(2), dim = query.size(3), value_dim = value.size(3);
  T scale = 1 / std::sqrt(static_cast<T>(dim));
  const T* lse = logsumexp.data_ptr<T>();
  for_blocks(query.size(0) * query.size(1), queries, key.size(2), causal, 2, sizeof(T), [&](int64_t unit, int64_t i, int64_t rows, int64_t keys, char* scratch) {
    T* p = reinterpret_cast<T*>(scratch);
    T* ds = p + rows * keys;
    multiply<T>(false, true, rows, keys, dim, scale, q.at(unit, i), q.row, k.at(unit), k.row, 0, p, keys);
    multiply<T>(false, true, rows, keys, value_dim, 1, g.at(unit, i), g.row, v.at(unit), v.row, 0, ds, keys);
    for (int64_t r = 0; r < rows; r++) {
      T *pr = p + r * keys, *dsr = ds + r * keys;
      const T *gr = g.at(unit, i + r), *orow = o.at(unit, i + r);
      int64_t seen = causal ? std::min(keys, i + r + 1) : keys;
      T shift = lse[unit * queries + i + r], delta = 0;
#pragma omp simd reduction(+ : delta)
      for (int64_t d = 0; d < value_dim; d++) delta += gr[d] * orow[d];
#pragma omp simd
      for (int64_t j = 0; j < seen; j++) {
        pr[j] = power(pr[j] - shift);
        dsr[j] = pr[j] * (dsr[j] - delta);
      }
      std::fill(pr + seen, pr + keys, T(0));
      std::fill(dsr + seen, dsr + keys, T(0));
    }
    multiply<T>(true, false, keys, value_dim, rows, 1, p, keys, g.at(unit, i), g.row, 1, dv.at(unit), dv.row);
    multiply<T>(true, false, keys, dim, rows, scale, ds, keys, q.at(unit, i), q.row, 1, dk.at(unit), dk.row);
    multiply<T>(false, false, rows, dim, keys, scale, ds, keys, k.at(unit), k.row, 0, dq.at(unit, i), dq.row);
  });
}

std::pair<at::Tensor, at::Tensor> attend(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value, bool causal) {
  auto output = at::empty({query.size(0), query.size(2), query.size(1), value.size(3)}, query.options().requires_grad(false)).transpose(1, 2);
  auto logsumexp = at::empty({query.size(0), query.size(1), query.size(2)}, query.options().requires_grad(false));
  AT_DISPATCH_FLOATING_TYPES(query.scalar_type(), "attention", [&] { attend<scalar_t>(query, key, value, causal, output, logsumexp); });
  return {output, logsumexp};
}

struct Attention : torch::autograd::Function<Attention> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, at::Tensor query, at::Tensor key, at::Tensor value, bool causal) {
    auto [output, logsumexp] = attend(query, key, value, causal);
    context->save_for_backward({query, key, value, output, logsumexp});
    context->saved_data["causal"] = causal;
    return output;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, torch::autograd::variable_list gradients) {
    TORCH_CHECK(!at::GradMode::is_enabled(), "the gradient of fused attention has no gradient of its own");
    auto saved = context->get_saved_variables();
    bool causal = context->saved_data["causal"].toBool();
    auto gradient = with_rows(gradients[0]);
    auto dq = like_heads(saved[0]), dk = like_heads(saved[1], true), dv = like_heads(saved[2], true);
    AT_DISPATCH_FLOATING_TYPES(saved[0].scalar_type(), "attention_backward", [&] {
      attend_backward<scalar_t>(gradient, saved[0], saved[1], saved[2], saved[3], saved[4], causal, dq, dk, dv);
    });
    return {dq, dk, dv, at::Tensor()};
  }
};

bool fits(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value) {
  if (!sgemm_ || !dgemm_) return false;
  for (auto t : {&query, &key, &value})
    if (t->dim() != 4 || !t->device().is_cpu() || t->scalar_type() != query.scalar_type() || t->numel() == 0) return false;
  return (query.scalar_type() == at::kFloat || query.scalar_type() == at::kDouble) && query.sizes().slice(0, 2) == key.sizes().slice(0, 2) &&
         key.sizes().slice(0, 3) == value.sizes().slice(0, 3) && query.size(3) == key.size(3);
}

at::Tensor fused(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value, bool causal) {
  bool recorded = at::GradMode::is_enabled() && (query.requires_grad() || key.requires_grad() || value.requires_grad());
  auto q = with_rows(query), k = with_rows(key), v = with_rows(value);
  return recorded ? Attention::apply(q, k, v, causal) : attend(q, k, v, causal).first;
}

}  // namespace
#endif

EXPORT Handle ts_attention(Handle query, Handle key, Handle value, Handle mask, double p, bool causal) {
  return guarded<Handle>(nullptr, [&] {
    auto given = mask ? Optional<at::Tensor>(*mask) : Optional<at::Tensor>();
#if FUSED_HERE
    if (!mask && p == 0 && fits(*query, *key, *value)) return handle_of(fused(*query, *key, *value, causal));
#endif
#if TORCH_VERSION_MAJOR >= 2
    return handle_of(at::scaled_dot_product_attention(*query, *key, *value, given, p, causal));
#else
    return handle_of(std::get<0>(at::_scaled_dot_product_attention(*query, *key, *value, given, p, false, causal)));
#endif
  });
}
