export function differences(page: string, name: string, defaults: Readonly<Record<string, number | boolean>>): string[]
