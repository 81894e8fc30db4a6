/** The other end of helper.mjs: answers each question with what the function of that name makes of it. */
export function answer(functions) {
  process.on('message', async ({ id, what, how }) => {
    try {
      process.send({ id, result: await functions[what](how) })
    } catch (error) {
      process.send({ id, error: error.message })
    }
  })
}
