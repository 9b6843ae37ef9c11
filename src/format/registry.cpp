#include "h5score/format/format.hpp"
