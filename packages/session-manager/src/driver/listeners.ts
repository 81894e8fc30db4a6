/** Whom to tell. A listener that throws must not stop the loop, nor keep the news from the next one. */
export class Listeners<T> {
  readonly #listeners = new Set<(value: T) => void>()

  add(listener: (value: T) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  tell(value: T, onThrow?: (error: unknown) => void): void {
    for (const listener of this.#listeners) {
      try {
        listener(value)
      } catch (error) {
        onThrow?.(error)
      }
    }
  }
}
