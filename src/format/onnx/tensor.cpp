// Decoding of tensors: raw bytes (little-endian) or typed fields.
#include "tensor.hpp"

#include "h5score/base/error.hpp"
#include "h5score/base/narrow.hpp"

#include "../printable.hpp"
#include "external.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

namespace h5score::format::onnx {

u64 elements(const Dims& dims) {
  constexpr u64 most_of_nothing = u64{1} << 24U;  // loops over the other axes of an empty tensor must end, too
  u64 others = 1;
  for (const u64 extent : dims) others = base::checked_mul(others, std::max<u64>(extent, 1));
  const u64 count = base::checked_product(dims);
  if (count == 0 && others > most_of_nothing)
    throw base::Error(base::ExitCode::data, "a tensor of " + text(dims) + " has no elements");
  return count;
}

std::string text(const Dims& dims) {
  if (dims.empty()) return "scalar";
  std::string result;
  for (const u64 extent : dims) result.append(result.empty() ? "" : "x").append(std::to_string(extent));
  return result;
}

namespace {

using base::Error;
using base::ExitCode;

[[noreturn]] void refuse(const std::string& problem, const std::string& why = {}) {
  throw Error(ExitCode::data, problem, why);
}

double from_half(std::uint16_t bits) {
  const double sign = (bits & 0x8000U) != 0 ? -1 : 1;
  const int exponent = (bits >> 10U) & 0x1fU;
  const int fraction = bits & 0x3ffU;
  if (exponent == 31) return fraction == 0 ? sign * std::numeric_limits<double>::infinity() : std::nan("");
  if (exponent == 0) return sign * std::ldexp(fraction, -24);
  return sign * std::ldexp(fraction + 1024, exponent - 25);
}

double from_bfloat(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16U);
}

// Source elements of type S, as raw bytes, through `convert` to T.
template <class S, class T, class Convert>
std::vector<T> from_raw(const std::string& bytes, u64 count, Convert convert) {
  if (bytes.size() != base::checked_mul(count, sizeof(S)))
    refuse(std::to_string(bytes.size()) + " bytes of values",
           std::to_string(base::checked_mul(count, sizeof(S))) + " expected");
  std::vector<T> values(count);
  for (u64 i = 0; i < count; ++i) {
    S value;
    std::memcpy(&value, bytes.data() + i * sizeof(S), sizeof(S));
    values[i] = convert(value);
  }
  return values;
}

template <class T, class Field, class Convert>
std::vector<T> from_field(const Field& field, u64 count, Convert convert) {
  if (base::narrow<u64>(field.size()) != count)
    refuse(std::to_string(field.size()) + " values", std::to_string(count) + " expected");
  std::vector<T> values;
  values.reserve(count);
  for (const auto& value : field) values.push_back(convert(value));
  return values;
}

// Where a tensor keeps its values: raw bytes, or else the typed field of its data type.
class Source {
 public:
  Source(const pb::TensorProto& tensor, const std::string& folder, u64 count)
      : tensor_(tensor), folder_(folder), count_(count) {}

  template <class S, class T, class Field, class Convert>
  std::vector<T> get(const Field& field, Convert convert) const {
    if (tensor_.data_location() == pb::TensorProto::EXTERNAL)
      return from_raw<S, T>(external_bytes(tensor_, folder_, base::checked_mul(count_, sizeof(S))), count_, convert);
    if (tensor_.has_raw_data()) return from_raw<S, T>(tensor_.raw_data(), count_, convert);
    return from_field<T>(field, count_, [&](const auto& value) { return convert(static_cast<S>(value)); });
  }
  template <class S, class Field>
  std::vector<double> reals(const Field& field) const {
    return get<S, double>(field, [](S value) { return static_cast<double>(value); });
  }
  template <class S, class Field>
  std::vector<i64> integers(const Field& field) const {
    return get<S, i64>(field, [](S value) {
      if constexpr (std::is_same_v<S, u64>)
        if (value > u64{1} << 62U) refuse("an integer is too large", std::to_string(value));
      return static_cast<i64>(value);
    });
  }

 private:
  const pb::TensorProto& tensor_;
  const std::string& folder_;
  u64 count_;
};

Dims dims_of(const pb::TensorProto& tensor) {
  Dims dims;
  for (const i64 extent : tensor.dims()) {
    if (extent < 0) refuse("extent " + std::to_string(extent));
    dims.push_back(static_cast<u64>(extent));
  }
  return dims;
}

Constant decoded(const pb::TensorProto& tensor, const std::string& folder) {
  Constant constant{.dims = dims_of(tensor), .values = {}, .times_rows = {}};
  if (tensor.has_segment()) refuse("it is stored in segments, which is not supported");
  const u64 count = elements(constant.dims);
  const Source source(tensor, folder, count);
  switch (tensor.data_type()) {
    case pb::TensorProto::FLOAT:
      constant.values = source.reals<float>(tensor.float_data());
      break;
    case pb::TensorProto::DOUBLE:
      constant.values = source.reals<double>(tensor.double_data());
      break;
    case pb::TensorProto::FLOAT16:
      constant.values = source.get<std::uint16_t, double>(tensor.int32_data(), from_half);
      break;
    case pb::TensorProto::BFLOAT16:
      constant.values = source.get<std::uint16_t, double>(tensor.int32_data(), from_bfloat);
      break;
    case pb::TensorProto::INT64:
      constant.values = source.integers<i64>(tensor.int64_data());
      break;
    case pb::TensorProto::INT32:
      constant.values = source.integers<std::int32_t>(tensor.int32_data());
      break;
    case pb::TensorProto::INT16:
      constant.values = source.integers<std::int16_t>(tensor.int32_data());
      break;
    case pb::TensorProto::INT8:
      constant.values = source.integers<std::int8_t>(tensor.int32_data());
      break;
    case pb::TensorProto::UINT8:
    case pb::TensorProto::BOOL:
      constant.values = source.integers<std::uint8_t>(tensor.int32_data());
      break;
    case pb::TensorProto::UINT16:
      constant.values = source.integers<std::uint16_t>(tensor.int32_data());
      break;
    case pb::TensorProto::UINT32:
      constant.values = source.integers<std::uint32_t>(tensor.uint64_data());
      break;
    case pb::TensorProto::UINT64:
      constant.values = source.integers<u64>(tensor.uint64_data());
      break;
    case pb::TensorProto::STRING:
      constant.values = from_field<std::string>(tensor.string_data(), count, [](const std::string& s) { return s; });
      break;
    default:
      refuse("its data type " + std::to_string(tensor.data_type()) + " is not supported");
  }
  return constant;
}

}  // namespace

Constant decode(const pb::TensorProto& tensor, const std::string& folder) {
  try {
    return decoded(tensor, folder);
  } catch (const Error& e) {
    throw e.in("tensor " + shown(tensor.name()));
  }
}

}  // namespace h5score::format::onnx
