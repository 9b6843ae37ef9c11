// LIBSVM model files: recognition and conversion to a kernel expansion with a head.
#include "libsvm.hpp"

#include "h5score/base/error.hpp"
#include "h5score/base/narrow.hpp"
#include "h5score/format/format.hpp"

#include "libsvm_text.hpp"
#include "text.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <string_view>

namespace h5score::format::libsvm {
namespace {

using base::Error;
using base::ExitCode;
using base::u64;

std::string read_text(const std::string& path) {
  std::ifstream stream(path, std::ios::binary | std::ios::ate);
  if (!stream) throw Error(ExitCode::no_input, "cannot be opened", base::errno_text(errno));
  std::string text(base::narrow<std::size_t>(std::streamoff{stream.tellg()}), '\0');
  stream.seekg(0);
  if (!stream.read(text.data(), base::narrow<std::streamsize>(text.size())))
    throw Error(ExitCode::io, "cannot be read", base::errno_text(errno));
  return text;
}

constexpr u64 most_dense_values = u64{1} << 29;

// Sparse to dense. One far index in a small file must not cost gigabytes: real files are at least one part in 1024
// full.
model::Matrix dense(const SupportVectors& vectors, u64 rows, u64 file_bytes) {
  const u64 limit = std::min(most_dense_values, std::max(u64{1} << 20, base::checked_mul(file_bytes, 1024)));
  if (vectors.width == 0)
    throw Error(ExitCode::data, "the model has no support vectors", "it cannot say how many features it has");
  if (base::checked_mul(rows, vectors.width) > limit)
    throw Error(ExitCode::data, "the support vectors are too sparse to be made dense",
                std::to_string(rows) + " vectors, largest index " + std::to_string(vectors.width));
  model::Matrix matrix{.rows = rows, .cols = vectors.width, .values = std::vector<double>(rows * vectors.width)};
  for (u64 row = 0; row < rows; ++row)
    for (std::size_t k = vectors.begin[row]; k < vectors.begin[row + 1]; ++k)
      matrix.values[row * vectors.width + vectors.index[k]] = vectors.value[k];
  return matrix;
}

// One column per pair (i, j) of classes, i < j, in LIBSVM's order. LIBSVM keeps c-1 coefficients per vector: those of
// class i against j stand in column j-1 of i's vectors and in column i of j's (LIBSVM FAQ and svm_predict_values()).
model::Matrix pair_coefficients(const Header& header, const std::vector<double>& stored) {
  const u64 per_vector = header.classes - 1;
  model::Matrix matrix{.rows = header.total_sv, .cols = header.pairs(), .values = {}};
  matrix.values.resize(base::checked_mul(matrix.rows, matrix.cols));
  std::vector<u64> start{0};
  for (const u64 n : header.sv_per_class) start.push_back(start.back() + n);
  u64 pair = 0;
  for (u64 i = 0; i < header.classes; ++i)
    for (u64 j = i + 1; j < header.classes; ++j, ++pair) {
      for (u64 v = start[i]; v < start[i + 1]; ++v)
        matrix.values[v * matrix.cols + pair] = stored[v * per_vector + j - 1];
      for (u64 v = start[j]; v < start[j + 1]; ++v) matrix.values[v * matrix.cols + pair] = stored[v * per_vector + i];
    }
  return matrix;
}

model::Kernel kernel_of(const Header& header) {
  using model::KernelKind;
  // LIBSVM ignores parameters that the kernel does not have, and so do we.
  model::Kernel kernel{.kind = *header.kernel};
  if (kernel.kind != KernelKind::linear) kernel.gamma = *header.gamma;
  if (kernel.kind == KernelKind::polynomial || kernel.kind == KernelKind::sigmoid) kernel.coef0 = *header.coef0;
  if (kernel.kind == KernelKind::polynomial) kernel.degree = base::narrow<base::u32>(*header.degree);
  return kernel;
}

model::Head head_of(const Header& header) {
  model::Head head;
  if (header.classifies()) {
    head.kind = model::HeadKind::one_vs_one;
    head.classes = header.labels;
    if (!header.prob_a.empty()) {
      head.link = model::Link::platt;
      head.prob_a = header.prob_a;
      head.prob_b = header.prob_b;
    }
  } else if (header.type == SvmType::one_class) {
    head.kind = model::HeadKind::one_class;
    head.classes = std::vector<base::i64>{-1, 1};
  }
  return head;
}

model::Model to_model(const File& file, u64 file_bytes) {
  const Header& header = file.header;
  model::KernelExpansion expansion{
      .support_vectors = dense(file.vectors, header.total_sv, file_bytes),
      .kernel = kernel_of(header),
      .coefficients = {.rows = header.total_sv, .cols = 1, .values = file.vectors.coefficients},
      .intercept = {}};
  if (header.classifies()) expansion.coefficients = pair_coefficients(header, file.vectors.coefficients);
  for (const double rho : header.rho) expansion.intercept.push_back(-rho);
  model::Model model;
  model.n_features = file.vectors.width;
  model.stages.emplace_back(std::move(expansion));
  model.head = head_of(header);
  model.origin = {.library = "LIBSVM", .version = {}, .format = {}};
  return model;
}

}  // namespace

bool recognise(const std::string& /*path*/, base::ByteView head) {
  constexpr std::array<std::string_view, 4> first_keys{"svm_type", "kernel_type", "nr_class", "total_sv"};
  std::string_view text(reinterpret_cast<const char*>(head.data()), head.size());
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    const std::string_view key = next_token(line);
    if (!key.empty() && key[0] != '#') return std::find(first_keys.begin(), first_keys.end(), key) != first_keys.end();
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return false;
}

model::Model load(const std::string& path) {
  try {
    const std::string text = read_text(path);
    return to_model(parse(text), text.size());
  } catch (const Error& e) {
    throw e.in(path);
  }
}

}  // namespace h5score::format::libsvm

namespace h5score::format {

bool widen(model::Model& model, base::u64 n_features) {
  auto* expansion = model.stages.empty() ? nullptr : std::get_if<model::KernelExpansion>(&model.stages.front());
  const bool open_ended = model.origin.library == "LIBSVM" && expansion != nullptr && !model.golden;
  if (!open_ended || model.n_features >= n_features) return false;
  const model::Matrix& old = expansion->support_vectors;
  if (base::checked_mul(old.rows, n_features) > libsvm::most_dense_values)
    throw base::Error(base::ExitCode::data, "the support vectors become too large for so many columns",
                      std::to_string(old.rows) + " vectors, " + std::to_string(n_features) + " columns");
  model::Matrix wide{.rows = old.rows, .cols = n_features, .values = std::vector<double>(old.rows * n_features)};
  for (base::u64 row = 0; row < old.rows; ++row)
    std::copy_n(old.values.data() + row * old.cols, old.cols, wide.values.data() + row * n_features);
  expansion->support_vectors = std::move(wide);
  model.n_features = n_features;
  return true;
}

}  // namespace h5score::format
