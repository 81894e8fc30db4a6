#!/usr/bin/env node
// A file that is there before the build, so that npm can link the program at install.
import '../dist/underpass.js'
