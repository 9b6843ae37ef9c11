// LIBSVM's model text files (svm-train's output). Format: svm_save_model() of LIBSVM and its README.
#pragma once

#include "h5score/base/types.hpp"
#include "h5score/model/model.hpp"

#include <string>

namespace h5score::format::libsvm {

bool recognise(const std::string& path, base::ByteView head);
model::Model load(const std::string& path);

}  // namespace h5score::format::libsvm
