// What the files of this library share: the C ABI's macro and the way an exception crosses it.
#pragma once

#include <ATen/ATen.h>
#include <ATen/core/ivalue.h>

#include <string>

#define EXPORT extern "C" __attribute__((visibility("default")))

using Handle = at::Tensor*;  // owned by one managed Tensor, which frees it

// libtorch's optional: its own type before 2.1, the standard one since.
template <class T>
using Optional = decltype(std::declval<c10::IValue&>().toOptional<T>());

inline thread_local std::string last_error;

inline Handle handle_of(at::Tensor tensor) {
  return tensor.defined() ? new at::Tensor(std::move(tensor)) : nullptr;
}

// Runs the body; where libtorch throws, keeps its message for ts_error and returns `failed`.
template <class Result, class Body>
Result guarded(Result failed, Body body) {
  try {
    return body();
  } catch (const c10::Error& error) {
    last_error = error.what_without_backtrace();
  } catch (const std::exception& error) {
    last_error = error.what();
  }
  return failed;
}
