import type { ArithmeticOp } from './ast.ts';

/** Arithmetic on numbers as IEEE 754 has it. */
export function calculate(op: ArithmeticOp, a: number, b: number): number {
  switch (op) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '/':
      return a / b;
    case '%':
      return a % b;
    case '^':
      return a ** b;
  }
}
