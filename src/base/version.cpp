// The version, given by the build.
#include "h5score/base/version.hpp"

namespace h5score::base {

const char* version() {
  return H5SCORE_VERSION;
}

}  // namespace h5score::base
