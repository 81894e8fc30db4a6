export declare function withoutSkippable(text: string): string
