#include "h5score/h5/io.hpp"
