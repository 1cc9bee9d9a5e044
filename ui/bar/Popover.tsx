import { type ReactNode, useEffect, useRef } from 'react';

interface PopoverProps {
  readonly label: string;
  readonly align?: 'start' | 'end';
  readonly onClose: () => void;
  readonly children: ReactNode;
}

/** A small sheet under its button: Esc and a click elsewhere close it. */
export function Popover({ label, align = 'start', onClose, children }: PopoverProps) {
  const sheet = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const outside = (event: PointerEvent) => {
      if (!sheet.current?.parentElement?.contains(event.target as Node)) onClose();
    };
    addEventListener('pointerdown', outside);
    return () => removeEventListener('pointerdown', outside);
  }, [onClose]);
  return (
    <div
      ref={sheet}
      className="popover"
      role="dialog"
      aria-label={label}
      data-align={align}
      onKeyDown={(event) => {
        if (event.key !== 'Escape') return;
        event.stopPropagation();
        event.nativeEvent.stopImmediatePropagation();
        onClose();
        sheet.current?.parentElement?.querySelector('button')?.focus();
      }}
    >
      {children}
    </div>
  );
}
