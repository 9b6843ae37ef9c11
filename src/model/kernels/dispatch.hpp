// The kernel tables by instruction set.
#pragma once

#include "h5score/model/evaluator.hpp"

#include "table.hpp"

namespace h5score::model::kernels {

/// Throws Error(internal) where this build or this CPU has no such kernels.
const Tables& tables(Isa isa);

template <class T>
const Table<T>& table(Isa isa);
template <>
inline const Table<float>& table<float>(Isa isa) {
  return tables(isa).single;
}
template <>
inline const Table<double>& table<double>(Isa isa) {
  return tables(isa).wide;
}

}  // namespace h5score::model::kernels
