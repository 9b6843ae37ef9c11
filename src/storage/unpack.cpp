// One element after the other: packed files are small beside what scoring their rows costs.
#include "unpack.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

namespace h5score::storage {
namespace {

using base::ElementKind;
using base::ElementType;

constexpr u64 piece = 64;

double as_double(const ElementType& type, const base::Bytes& element) {
  double value = 0;
  conversion<double>(type).convert({element.data(), 0, 1, 1}, &value, 1);
  return value;
}

// Tells missing elements, by their bytes where float64 does not hold all numbers of the type.
class Missing {
 public:
  Missing(const ElementType& type, const h5::Packing& packing)
      : packing_(packing), by_bytes_(type.kind != ElementKind::floating && type.size == 8) {
    for (const auto& element : packing.missing) values_.push_back(as_double(type, element));
  }
  [[nodiscard]] bool operator()(const std::byte* element, double value) const {
    if (packing_.least && value < *packing_.least) return true;
    if (packing_.most && value > *packing_.most) return true;
    if (!by_bytes_) return std::find(values_.begin(), values_.end(), value) != values_.end();
    return std::any_of(packing_.missing.begin(), packing_.missing.end(), [&](const base::Bytes& missing) {
      return std::memcmp(element, missing.data(), missing.size()) == 0;
    });
  }

 private:
  const h5::Packing& packing_;
  bool by_bytes_;
  std::vector<double> values_;
};

std::string number_text(double value) {
  std::array<char, 32> text{};
  return {text.data(), std::to_chars(text.data(), text.data() + text.size(), value).ptr};
}

}  // namespace

template <class T>
void unpack(const StoredElements& from, const ElementType& type, const h5::Packing& packing, T* out, u64 stride) {
  const auto functions = conversion<double>(type);
  const Missing missing(type, packing);
  std::array<double, piece> values;
  // Runs of elements that lie `step` bytes apart: down a column, or along the rows.
  const bool down = from.count == 1;
  const u64 runs = down ? 1 : from.rows;
  const u64 length = down ? from.rows : from.count;
  const u64 step = down ? from.row_bytes : type.size;
  const u64 out_step = down ? stride : 1;
  for (u64 run = 0; run < runs; ++run)
    for (u64 begin = 0; begin < length; begin += piece) {
      const std::byte* const first = from.data + run * from.row_bytes + begin * step;
      T* const to = out + run * stride + begin * out_step;
      const u64 n = std::min(piece, length - begin);
      functions.convert({first, step, n, 1}, values.data(), 1);
      for (u64 i = 0; i < n; ++i)
        to[i * out_step] = missing(first + i * step, values[i])
                               ? std::numeric_limits<T>::quiet_NaN()
                               : static_cast<T>(values[i] * packing.scale + packing.offset);
    }
}

template void unpack(const StoredElements&, const ElementType&, const h5::Packing&, float*, u64);
template void unpack(const StoredElements&, const ElementType&, const h5::Packing&, double*, u64);

std::string packing_text(const h5::Packing& packing, const ElementType& type) {
  std::string text;
  if (packing.scale != 1) text += "x " + number_text(packing.scale);
  if (packing.offset != 0)
    text += (text.empty() ? "" : " ") + std::string(packing.offset < 0 ? "- " : "+ ") +
            number_text(std::abs(packing.offset));
  std::string missing;
  std::vector<std::string> told;
  for (const auto& element : packing.missing) {
    if (element.size() != type.size) continue;  // array_format() refuses it
    const std::string value = number_text(as_double(type, element));
    if (std::find(told.begin(), told.end(), value) != told.end()) continue;
    missing += (missing.empty() ? "missing: " : " and ") + value;
    told.push_back(value);
  }
  if (!missing.empty()) text += (text.empty() ? "" : ", ") + missing;
  if (packing.least || packing.most)
    text += (text.empty() ? "" : ", ") + std::string("valid:") +
            (packing.least ? " from " + number_text(*packing.least) : "") +
            (packing.most ? " to " + number_text(*packing.most) : "");
  return text;
}

}  // namespace h5score::storage
